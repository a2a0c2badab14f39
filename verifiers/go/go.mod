module example.com/job-collector-verifier

go 1.19
