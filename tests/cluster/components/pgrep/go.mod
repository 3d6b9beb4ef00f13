module kftune.example/cluster/pgrep

go 1.25
