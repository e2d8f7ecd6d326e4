<?php
$config = [
    'people' => [
        'exampleauth:UserPass',
        'anna:secret' => ['uid' => ['anna'], 'urn:oid:1.3.6.1.4.1.42750.1.1.1' => ['@HASH@']],
        'ben:secret' => ['uid' => ['ben']],
        'two:secret' => ['uid' => ['two'], 'urn:oid:1.3.6.1.4.1.42750.1.1.1' => ['@HASH@', 'another']],
    ],
];
