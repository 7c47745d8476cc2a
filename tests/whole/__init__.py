"""Tests that take long: whole notebooks, browsers, several processes.

`make test` leaves them out, `make test-all` runs them."""
