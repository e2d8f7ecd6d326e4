// The first process of every pod, which holds its namespaces; and what tests try in a pod, without a shell:
//
//	pause                     waits for a signal
//	pause status              prints what the kernel says of this process
//	pause read|write FILE     fails where that is not allowed
//	pause connect HOST:PORT   fails unless somebody accepts within two seconds
//	pause listen PORT         accepts and closes, until a signal
//	pause first HOST:PORT     connects again and again for five seconds, from the pod's first moment; fails if one succeeds
package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) == 1 {
		pause()
		return
	}
	if err := try(os.Args[1], os.Args[len(os.Args)-1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func try(what string, value string) error {
	switch what {
	case "status":
		status, err := os.ReadFile("/proc/self/status")
		fmt.Print(string(status))
		return err
	case "read":
		content, err := os.ReadFile(value)
		fmt.Print(string(content))
		return err
	case "write":
		return os.WriteFile(value, []byte("written\n"), 0o644)
	case "connect":
		return connect(value, 2*time.Second)
	case "listen":
		listener, err := net.Listen("tcp", ":"+value)
		if err != nil {
			return err
		}
		go accept(listener)
		pause()
		return nil
	case "first":
		for until := time.Now().Add(5 * time.Second); time.Now().Before(until); {
			if connect(value, 100*time.Millisecond) == nil {
				return fmt.Errorf("connected %s before its end", time.Until(until))
			}
		}
		return nil
	}
	return fmt.Errorf("unknown: %s", what)
}

func connect(address string, limit time.Duration) error {
	connection, err := net.DialTimeout("tcp", address, limit)
	if err == nil {
		connection.Close()
	}
	return err
}

func accept(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		connection.Close()
	}
}

func pause() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
	}
}
