"""How networks are trained: model, optimizers, schedules, losses, callbacks."""
