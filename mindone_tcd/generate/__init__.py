"""From a request to images: the recipe, the checks of the arguments, the pipeline, and PNG files with their record."""
