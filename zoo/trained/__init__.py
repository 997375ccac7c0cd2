"""What a training leaves: a network with what belongs to it, to score, predict and serve with."""
