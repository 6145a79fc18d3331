"""The small trained model that ships with the package: its scenes, the judge of its images, and its weights."""
