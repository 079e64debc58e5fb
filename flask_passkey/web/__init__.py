"""Everything that knows HTTP: routes, bodies, envelopes, cookies and Flask's session."""
