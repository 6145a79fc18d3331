"""Files of models and adapters, on disk and from hubs, read and checked without MindSpore."""
