<?php
// Waits for MariaDB, makes the database, installs WordPress in it, and prints an application password of its
// administrator. Usage: php setup.php LOGIN_NAME SECONDS_TO_WAIT
mysqli_report(MYSQLI_REPORT_OFF);
$deadline = microtime(true) + (float) $argv[2];
$database = mysqli_init();
while (!@$database->real_connect('localhost', 'root', '', '', 0, __DIR__ . '/database.sock')) {
    if (microtime(true) > $deadline) {
        fwrite(STDERR, 'no MariaDB: ' . mysqli_connect_error());
        exit(1);
    }
    usleep(20000);
    $database = mysqli_init();
}
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
$database->query('CREATE DATABASE wordpress CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci');
define('WP_INSTALLING', true);
require __DIR__ . '/site/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install('Club', $argv[1], 'owner@club.example', false, '', bin2hex(random_bytes(16)));
update_option('permalink_structure', '/%postname%/');
[$password] = WP_Application_Passwords::create_new_application_password(1, ['name' => 'Latchkey']);
echo $password;
