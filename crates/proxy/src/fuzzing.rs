//! What fuzz targets and tests call alike: each takes any bytes, and panics where a promise is broken.
