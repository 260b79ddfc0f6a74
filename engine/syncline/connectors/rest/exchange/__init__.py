"""One request and its answer: templates filled, sent within all limits, judged and decoded."""
