"""The small trained model that ships: the world it draws, the judge of its pictures, and its weights."""
