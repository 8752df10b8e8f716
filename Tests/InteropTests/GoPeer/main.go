// Command gopeer calls every unary method of a running roostd with containerd's own ttrpc client
// and checks each answer. It is the proof that the protocol is what others speak.
//
//	gopeer ADDRESS TOKEN
//
// It prints a line per check and closes with "N passed, N failed"; it exits 1 where one failed.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/containerd/ttrpc"
	"github.com/gogo/protobuf/proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	roost "roost/v1"
)

const callTimeout = 10 * time.Second

var passed, failed int

// check counts one behaviour and reports it.
func check(name string, ok bool, detail ...interface{}) {
	if ok {
		passed++
		fmt.Printf("ok    %s\n", name)
		return
	}
	failed++
	fmt.Printf("FAIL  %s: %s\n", name, fmt.Sprint(detail...))
}

// wantCode checks that a call failed with this status.
func wantCode(name string, err error, want codes.Code) {
	check(name, status.Code(err) == want, "want ", want, ", got ", err)
}

type peer struct {
	client *ttrpc.Client
	token  string
}

func dial(address string) *ttrpc.Client {
	network := "tcp"
	if strings.HasPrefix(address, "/") {
		network = "unix"
	}
	connection, err := net.DialTimeout(network, address, callTimeout)
	if err != nil {
		fmt.Fprintf(os.Stderr, "gopeer: %v\n", err)
		os.Exit(1)
	}
	return ttrpc.NewClient(connection)
}

// context carries the token as metadata and a deadline, as a Go service would send them.
func (p *peer) context() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	metadata := ttrpc.MD{}
	if p.token != "" {
		metadata.Set("authorization", "Bearer "+p.token)
	}
	metadata.Append("x-request-id", "gopeer", "again")
	return ttrpc.WithMetadata(ctx, metadata), cancel
}

func text(s string) *roost.Value {
	return &roost.Value{Kind: &roost.Value_TextValue{TextValue: []byte(s)}}
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: gopeer HOST:PORT|/UNIX/SOCKET TOKEN")
		os.Exit(2)
	}
	p := &peer{client: dial(os.Args[1]), token: os.Args[2]}
	p.values()
	p.conditions()
	p.lists()
	p.ranges()
	p.transactions()
	p.identity(os.Args[1])
	p.errors(os.Args[1])
	p.concurrency()
	p.client.Close()
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}

func (p *peer) values() {
	kv := roost.NewKVClient(p.client)
	ctx, cancel := p.context()
	defer cancel()

	values := map[string]*roost.Value{
		"bytes":  {Kind: &roost.Value_BytesValue{BytesValue: []byte{0, 255, 0, 1}}},
		"text":   text("grüße"),
		"int":    {Kind: &roost.Value_IntValue{IntValue: -1 << 63}},
		"double": {Kind: &roost.Value_DoubleValue{DoubleValue: 1.5e-300}},
		"bool":   {Kind: &roost.Value_BoolValue{BoolValue: true}},
		"list": {Kind: &roost.Value_ListValue{
			ListValue: &roost.ListValue{Items: [][]byte{[]byte("a"), {}, {0}}}}},
	}
	for kind, value := range values {
		key := []byte("go:value:" + kind)
		set, err := kv.Set(ctx, &roost.SetRequest{Key: key, Value: value})
		check("Set "+kind, err == nil && set.Created && set.Revision > 0, err, set)
		get, err := kv.Get(ctx, &roost.GetRequest{Key: key})
		check("Get "+kind, err == nil && get.Found && proto.Equal(get.Entry.Value, value) &&
			get.Entry.Version == 1 && len(get.Entry.Key) == 0, err, get)
	}
	miss, err := kv.Get(ctx, &roost.GetRequest{Key: []byte("go:value:missing")})
	check("Get of a missing key is an answer", err == nil && !miss.Found, err, miss)

	big := bytes.Repeat([]byte("x"), 1<<20)
	_, err = kv.Set(ctx, &roost.SetRequest{Key: []byte("go:big"),
		Value: &roost.Value{Kind: &roost.Value_BytesValue{BytesValue: big}}})
	check("Set of 1 MiB", err == nil, err)
	get, err := kv.Get(ctx, &roost.GetRequest{Key: []byte("go:big")})
	check("Get of 1 MiB", err == nil && bytes.Equal(get.Entry.Value.GetBytesValue(), big), err)

	batch, err := kv.BatchGet(ctx, &roost.BatchGetRequest{Keys: [][]byte{
		[]byte("go:value:text"), []byte("go:value:missing"), []byte("go:value:bool")}})
	check("BatchGet", err == nil && len(batch.Results) == 3 && batch.Results[0].Found &&
		!batch.Results[1].Found && batch.Results[2].Entry.Value.GetBoolValue(), err, batch)

	inc, err := kv.Increment(ctx, &roost.IncrementRequest{
		Key: []byte("go:counter"), Delta: 5, Initial: 10})
	check("Increment", err == nil && inc.Value == 15, err, inc)

	touch, err := kv.Touch(ctx, &roost.TouchRequest{Key: []byte("go:counter"),
		Expiration: &roost.Expiration{Kind: &roost.Expiration_TtlMs{TtlMs: 3600000}}})
	check("Touch", err == nil && touch.Found && touch.ExpiresAtMs > 0, err, touch)
}

func (p *peer) conditions() {
	kv := roost.NewKVClient(p.client)
	ctx, cancel := p.context()
	defer cancel()
	key := []byte("go:condition")

	create := &roost.Condition{Kind: &roost.Condition_Exists{Exists: false}}
	set, err := kv.Set(ctx, &roost.SetRequest{Key: key, Value: text("1"), Condition: create})
	check("Set if absent", err == nil && set.Created, err, set)
	_, err = kv.Set(ctx, &roost.SetRequest{Key: key, Value: text("2"), Condition: create})
	wantCode("Set if absent on a present key", err, codes.AlreadyExists)
	_, err = kv.Set(ctx, &roost.SetRequest{Key: []byte("go:no-such-key"), Value: text("2"),
		Condition: &roost.Condition{Kind: &roost.Condition_Exists{Exists: true}}})
	wantCode("Set if present on a missing key", err, codes.NotFound)
	_, err = kv.Set(ctx, &roost.SetRequest{Key: key, Value: text("2"),
		Condition: &roost.Condition{Kind: &roost.Condition_Revision{Revision: set.Revision + 1}}})
	wantCode("Set at another revision", err, codes.Aborted)
	swapped, err := kv.Set(ctx, &roost.SetRequest{Key: key, Value: text("2"),
		Condition: &roost.Condition{Kind: &roost.Condition_Revision{Revision: set.Revision}},
		Options:   &roost.WriteOptions{ReturnPrevious: true}})
	check("Set at the revision", err == nil && swapped.Revision > set.Revision &&
		string(swapped.Previous.Value.GetTextValue()) == "1", err, swapped)
	deleted, err := kv.Delete(ctx, &roost.DeleteRequest{Key: key})
	check("Delete", err == nil && deleted.Deleted, err, deleted)
	deleted, err = kv.Delete(ctx, &roost.DeleteRequest{Key: key})
	check("Delete of a missing key", err == nil && !deleted.Deleted, err, deleted)
}

func (p *peer) lists() {
	kv := roost.NewKVClient(p.client)
	ctx, cancel := p.context()
	defer cancel()
	key := []byte("go:list")

	push, err := kv.Push(ctx, &roost.PushRequest{
		Key: key, Items: [][]byte{[]byte("b"), []byte("c")}})
	check("Push to the back", err == nil && push.Length == 2, err, push)
	push, err = kv.Push(ctx, &roost.PushRequest{
		Key: key, Items: [][]byte{[]byte("a")}, End: roost.ListEnd_LIST_END_FRONT})
	check("Push to the front", err == nil && push.Length == 3, err, push)
	list, err := kv.ListRange(ctx, &roost.ListRangeRequest{Key: key, Start: 0, Stop: -1})
	check("ListRange", err == nil && list.Found &&
		string(bytes.Join(list.Items, nil)) == "abc", err, list)
	pop, err := kv.Pop(ctx, &roost.PopRequest{Key: key, Count: 2})
	check("Pop", err == nil && pop.Length == 1 && string(bytes.Join(pop.Items, nil)) == "cb",
		err, pop)
	_, err = kv.Increment(ctx, &roost.IncrementRequest{Key: key, Delta: 1})
	wantCode("Increment of a list", err, codes.FailedPrecondition)
}

func (p *peer) ranges() {
	kv := roost.NewKVClient(p.client)
	ctx, cancel := p.context()
	defer cancel()
	for i := 0; i < 25; i++ {
		_, err := kv.Set(ctx, &roost.SetRequest{
			Key: []byte(fmt.Sprintf("go:range:%02d", i)), Value: text("v")})
		if err != nil {
			check("Set for a range", false, err)
		}
	}
	prefix := &roost.KeyRange{Prefix: []byte("go:range:")}
	var keys []string
	request := &roost.ScanRequest{Range: prefix, PageSize: 10}
	for pages := 0; pages < 10; pages++ {
		page, err := kv.Scan(ctx, request)
		if err != nil {
			check("Scan", false, err)
			break
		}
		for _, entry := range page.Entries {
			keys = append(keys, string(entry.Key))
		}
		if len(page.NextPageToken) == 0 {
			break
		}
		request.PageToken = page.NextPageToken
	}
	check("Scan by pages", len(keys) == 25 && keys[0] == "go:range:00" &&
		keys[24] == "go:range:24", keys)
	matched, err := kv.Scan(ctx, &roost.ScanRequest{Range: prefix, KeysOnly: true, Reverse: true,
		MatchKind: roost.MatchKind_MATCH_KIND_REGEX, Pattern: []byte("[02]5$|1.$")})
	check("Scan by regex, backward", err == nil && len(matched.Entries) == 11 &&
		string(matched.Entries[0].Key) == "go:range:19", err, matched)
	count, err := kv.Count(ctx, &roost.CountRequest{Range: prefix})
	check("Count", err == nil && count.Count == 25, err, count)
	deleted, err := kv.DeleteRange(ctx, &roost.DeleteRangeRequest{Range: prefix})
	check("DeleteRange", err == nil && deleted.Deleted == 25, err, deleted)
}

func (p *peer) transactions() {
	kv := roost.NewKVClient(p.client)
	ctx, cancel := p.context()
	defer cancel()
	set := func(key, value string) *roost.Operation {
		return &roost.Operation{Kind: &roost.Operation_Set{
			Set: &roost.SetRequest{Key: []byte(key), Value: text(value)}}}
	}
	absent := &roost.Compare{Key: []byte("go:txn:lock"),
		Condition: &roost.Condition{Kind: &roost.Condition_Exists{Exists: false}}}
	get := &roost.Operation{Kind: &roost.Operation_Get{
		Get: &roost.GetRequest{Key: []byte("go:txn:lock")}}}
	request := &roost.TransactRequest{
		Compares: []*roost.Compare{absent},
		Success:  []*roost.Operation{set("go:txn:lock", "me"), set("go:txn:data", "1")},
		Failure:  []*roost.Operation{get},
	}
	first, err := kv.Transact(ctx, request)
	check("Transact", err == nil && first.Succeeded && len(first.Results) == 2 &&
		first.Results[0].GetSet().Revision == first.Results[1].GetSet().Revision, err, first)
	second, err := kv.Transact(ctx, request)
	check("Transact, the other branch", err == nil && !second.Succeeded &&
		string(second.Results[0].GetGet().Entry.Value.GetTextValue()) == "me", err, second)
}

func (p *peer) identity(address string) {
	ctx, cancel := p.context()
	defer cancel()
	admin := roost.NewAdminClient(p.client)
	ping, err := admin.Ping(ctx, &roost.PingRequest{Payload: []byte("hello")})
	check("Ping", err == nil && string(ping.Payload) == "hello", err, ping)
	current, err := admin.Status(ctx, &roost.StatusRequest{})
	check("Status", err == nil && current.KeyCount > 0 && current.Engine != "" &&
		current.ConnectionCount >= 1, err, current)
	who, err := roost.NewAuthClient(p.client).WhoAmI(ctx, &roost.WhoAmIRequest{})
	check("WhoAmI", err == nil && len(who.Token.Id) == 8, err, who)

	bound := dial(address)
	defer bound.Close()
	plain, cancelPlain := context.WithTimeout(context.Background(), callTimeout)
	defer cancelPlain()
	_, err = roost.NewAuthClient(bound).WhoAmI(plain, &roost.WhoAmIRequest{})
	wantCode("a connection without a token", err, codes.Unauthenticated)
	_, err = roost.NewAuthClient(bound).Bind(plain, &roost.BindRequest{Token: p.token})
	check("Bind", err == nil, err)
	who, err = roost.NewAuthClient(bound).WhoAmI(plain, &roost.WhoAmIRequest{})
	check("WhoAmI on a bound connection", err == nil && len(who.Token.Id) == 8, err, who)
	_, err = roost.NewAdminClient(bound).Ping(plain, &roost.PingRequest{})
	check("Ping on a bound connection", err == nil, err)
}

func (p *peer) errors(address string) {
	ctx, cancel := p.context()
	defer cancel()
	var response roost.GetResponse
	err := p.client.Call(ctx, "roost.v1.Nothing", "Get", &roost.GetRequest{}, &response)
	wantCode("an unknown service", err, codes.Unimplemented)
	err = p.client.Call(ctx, "roost.v1.KV", "Nothing", &roost.GetRequest{}, &response)
	wantCode("an unknown method", err, codes.Unimplemented)
	_, err = roost.NewWatchClient(p.client).Poll(ctx, &roost.PollRequest{})
	wantCode("a method that is not built", err, codes.Unimplemented)

	kv := roost.NewKVClient(p.client)
	_, err = kv.Get(ctx, &roost.GetRequest{})
	wantCode("an empty key", err, codes.InvalidArgument)
	huge := make([]byte, 4<<20)
	_, err = kv.Set(ctx, &roost.SetRequest{Key: []byte("go:huge"),
		Value: &roost.Value{Kind: &roost.Value_BytesValue{BytesValue: huge}}})
	wantCode("an oversize frame", err, codes.ResourceExhausted)
	_, err = kv.Set(ctx, &roost.SetRequest{Key: []byte("go:huge"),
		Value: &roost.Value{Kind: &roost.Value_BytesValue{BytesValue: huge[:2<<20]}}})
	wantCode("an oversize value", err, codes.InvalidArgument)
	_, err = kv.Get(ctx, &roost.GetRequest{Key: []byte("go:value:text")})
	check("the connection goes on after an oversize frame", err == nil, err)

	wrong := &peer{client: p.client, token: p.token[:len(p.token)-4] + "0000"}
	wrongCtx, cancelWrong := wrong.context()
	defer cancelWrong()
	_, err = kv.Get(wrongCtx, &roost.GetRequest{Key: []byte("go:value:text")})
	wantCode("a wrong token", err, codes.Unauthenticated)

	past, cancelPast := context.WithDeadline(ctx, time.Now().Add(-time.Second))
	defer cancelPast()
	_, err = kv.Get(past, &roost.GetRequest{Key: []byte("go:value:text")})
	check("a deadline in the past", errors.Is(err, context.DeadlineExceeded) ||
		status.Code(err) == codes.DeadlineExceeded, err)
}

// concurrency has many goroutines share one connection and count one key up.
func (p *peer) concurrency() {
	const goroutines, increments = 32, 50
	kv := roost.NewKVClient(p.client)
	failures := make(chan error, goroutines)
	for i := 0; i < goroutines; i++ {
		go func() {
			ctx, cancel := p.context()
			defer cancel()
			for j := 0; j < increments; j++ {
				_, err := kv.Increment(ctx, &roost.IncrementRequest{
					Key: []byte("go:shared"), Delta: 1})
				if err != nil {
					failures <- err
					return
				}
			}
			failures <- nil
		}()
	}
	for i := 0; i < goroutines; i++ {
		if err := <-failures; err != nil {
			check("concurrent increments", false, err)
		}
	}
	ctx, cancel := p.context()
	defer cancel()
	get, err := kv.Get(ctx, &roost.GetRequest{Key: []byte("go:shared")})
	check("concurrent increments add up", err == nil &&
		get.Entry.Value.GetIntValue() == goroutines*increments, err, get)
}
