<?php
// WordPress keeps such a file, under the name .maintenance, while it is being updated: with the time of the
// beginning. Here it is always there, and the time is now for the fronts that say so.
$upgrading = getenv('WORDPRESS_MAINTENANCE') ? time() : 0;
