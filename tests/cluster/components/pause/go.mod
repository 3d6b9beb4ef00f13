module kftune.example/cluster/pause

go 1.25
