"""Steps of gradient descent on networks that are small."""
