"""Operating points: choosing the threshold above which a student answers by itself.

- ``choose``: the threshold, by sequential tests with a bounded risk;
- ``roles``: which records are evaluated, choose the threshold, or fit a confidence;
- ``fit``: fitting a confidence; ``calibrate``: from calibration records to an operating point;
- ``saved``: the point in a student's folder, where it applies; ``notes``: what to tell people;
- ``figures``: figures of the evaluated records at an operating point.

:mod:`mitools.operating` holds the saved form. Importing this package imports none of its modules.
"""
