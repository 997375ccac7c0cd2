"""The yardsticks that a network has to beat: models that are fitted in seconds."""
