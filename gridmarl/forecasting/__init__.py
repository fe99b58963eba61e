"""Day-ahead forecasts and their uncertainty: quantiles, calibrated bands, scenarios, the scores that judge them."""
