"""Names that several rooms share: UIDs, labels, paths, recorded series. Imports nothing but the settings."""
