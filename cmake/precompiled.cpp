// Carries the precompiled headers of the standard library (options.cmake).
