"""The small trained models that ship with the package: scenes, the judge of images, and weights."""

from .models import model as model
