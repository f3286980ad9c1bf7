"""Names that several packages share: UIDs, labels, paths, recorded series. Imports only the settings."""
