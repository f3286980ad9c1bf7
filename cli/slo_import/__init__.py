"""Reads the SLOs of Sloth, Pyrra and OpenSLO and makes custom SLOs of ours of them.

One module for each format yields `Found`s: `located` knows the lines of a YAML file, `queries` rewrites PromQL.
"""
