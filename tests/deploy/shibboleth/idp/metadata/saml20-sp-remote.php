<?php
$metadata['@SP@/shibboleth'] = [
    'AssertionConsumerService' => '@SP@/Shibboleth.sso/SAML2/POST',
    'SingleLogoutService' => '@SP@/Shibboleth.sso/SLO/Redirect',
];
