"""Read files from outside the package. Each file is checked completely before any of its content is used."""
