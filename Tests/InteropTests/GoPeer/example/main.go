// Command example is README's Go example; Tools/check-readme compares the two.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"github.com/containerd/ttrpc"

	roost "roost/v1"
)

func main() {
	connection, err := net.Dial("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	client := ttrpc.NewClient(connection)
	defer client.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	ctx = ttrpc.WithMetadata(ctx, ttrpc.MD{"authorization": {"Bearer " + os.Args[2]}})

	kv := roost.NewKVClient(client)
	_, err = kv.Set(ctx, &roost.SetRequest{
		Key:        []byte("greeting"),
		Value:      &roost.Value{Kind: &roost.Value_TextValue{TextValue: []byte("hello")}},
		Expiration: &roost.Expiration{Kind: &roost.Expiration_TtlMs{TtlMs: 3600_000}},
	})
	if err != nil {
		log.Fatal(err) // a gRPC status
	}
	response, err := kv.Get(ctx, &roost.GetRequest{Key: []byte("greeting")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(response.Found, string(response.Entry.Value.GetTextValue()))
}
