"""From a request to images: the recipe, the checks of the arguments, the pipeline, and files with their record."""
