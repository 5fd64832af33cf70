//! What a service says of itself (`OpenAPI` 3.0 and 3.1), as far as agents need it: which operations there are, and what each takes.
