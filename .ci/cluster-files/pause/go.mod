module daas-ci/pause

go 1.21
