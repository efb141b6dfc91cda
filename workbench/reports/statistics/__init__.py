"""Statistics of reports: pure functions of arrays, each with its paper."""
