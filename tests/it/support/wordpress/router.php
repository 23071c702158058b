<?php
// What a web server's rewriting does for WordPress: a path that is no file of its own is index.php's. A front may
// be reached under a path; what lies behind that path is looked for.
$base = (string) parse_url(getenv('WORDPRESS_URL'), PHP_URL_PATH);
$path = (string) parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path === '/.front') {
    // Which front this is: another program may have taken the port.
    echo getenv('WORDPRESS_FRONT');
    return true;
}
if (getenv('WORDPRESS_MOVED')) {
    header('Location: https://club.example' . $_SERVER['REQUEST_URI'], true, 301);
    return true;
}
if (getenv('WORDPRESS_WALL')) {
    // What a plugin that guards a site shows to those it takes for robots.
    http_response_code(403);
    echo '<!DOCTYPE html><title>Blocked</title><h1>Prove that you are human</h1>';
    return true;
}
if ($base !== '' && strncmp($path, "$base/", strlen($base) + 1) !== 0) {
    http_response_code(404);
    echo '<!DOCTYPE html><title>Nothing here</title>';
    return true;
}
$script = substr($path, strlen($base));
if (substr($script, -1) === '/') {
    $script .= 'index.php';
}
$root = $_SERVER['DOCUMENT_ROOT'];
if (substr($script, -4) !== '.php' || !is_file($root . $script)) {
    $script = '/index.php';
}
$_SERVER['SCRIPT_NAME'] = $_SERVER['PHP_SELF'] = $base . $script;
$_SERVER['SCRIPT_FILENAME'] = $root . $script;
chdir(dirname($root . $script));
require $root . $script;
