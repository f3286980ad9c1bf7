"""A Flask application that knows nothing of OpenTelemetry."""

import logging

from flask import Flask

app = Flask(__name__)


@app.route("/hello/<name>")
def hello(name: str) -> tuple[str, int]:
    """Greet, but not those who are bad."""
    logging.getLogger("app").warning("hello %s", name)
    return ("no", 500) if name == "bad" else (f"hello {name}", 200)


if __name__ == "__main__":
    app.run(port=18001)
