"""Read scans and masks, and write results, in the formats of the clinic."""
