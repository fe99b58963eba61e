"""Day-ahead forecasts with their uncertainty: quantiles, calibrated bands, scenarios, and the scores that judge them."""
