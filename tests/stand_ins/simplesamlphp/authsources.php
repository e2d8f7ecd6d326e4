<?php
$config = [
    'people' => [
        'exampleauth:UserPass',
        'anna:secret' => ['urn:oid:0.9.2342.19200300.100.1.1' => ['anna'], 'urn:oid:2.16.840.1.113730.3.1.241' => ['Anna Lindqvist'], 'urn:oid:1.3.6.1.4.1.42750.1.1.1' => ['@HASH@']],
        'ben:secret' => ['urn:oid:0.9.2342.19200300.100.1.1' => ['ben']],
        'two:secret' => ['urn:oid:0.9.2342.19200300.100.1.1' => ['two'], 'urn:oid:1.3.6.1.4.1.42750.1.1.1' => ['@HASH@', 'another']],
    ],
];
