"""Does this machine make the pictures that it should? Known results of the shipped model, and a report to send."""
