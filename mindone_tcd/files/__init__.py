"""Files of models and adapters, on disk and from hubs, and images, read and checked without MindSpore."""
