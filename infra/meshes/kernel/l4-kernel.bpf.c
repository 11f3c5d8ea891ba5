/*
 * A service and its policy at the hooks of tc(8), as a mesh has them that keeps L4 in the kernel: packets of a pod to the
 * service go to the server's pod and back under the service's address, and only the client's reach the server. No state is
 * kept of connections. infra/meshes/kernel/ebpf-object.ts says how l4-kernel.bpf.o is made of this.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <stddef.h>

#define in_section(name) __attribute__((section(name), used))
#define big_endian16(value) __builtin_bswap16(value)

static long (*store_bytes)(struct __sk_buff *, __u32, const void *, __u32, __u64) = (void *)BPF_FUNC_skb_store_bytes;
static long (*replace_l3_checksum)(struct __sk_buff *, __u32, __u64, __u64, __u64) = (void *)BPF_FUNC_l3_csum_replace;
static long (*replace_l4_checksum)(struct __sk_buff *, __u32, __u64, __u64, __u64) = (void *)BPF_FUNC_l4_csum_replace;
static void *(*lookup)(void *, const void *) = (void *)BPF_FUNC_map_lookup_elem;

/* Written over in the object before it is loaded, all in network order; the first field says where. */
struct settings {
	char mark[8];
	__u32 service;
	__u32 server;
	__u32 client;
	__u16 service_port;
	__u16 server_port;
};
const volatile struct settings settings = { .mark = "settings" };

struct {
	int (*type)[BPF_MAP_TYPE_ARRAY];
	int (*max_entries)[3];
	__u32 *key;
	__u64 *value;
} counts in_section(".maps");

enum count { translated, allowed, denied };

static inline void count(__u32 what)
{
	__u64 *value = lookup(&counts, &what);
	if (value)
		__sync_fetch_and_add(value, 1);
}

#define ip_at(field) (ETH_HLEN + offsetof(struct iphdr, field))
#define tcp_at(field) (ETH_HLEN + sizeof(struct iphdr) + offsetof(struct tcphdr, field))
#define tcp_checksum_at tcp_at(check)

struct packet {
	__u32 source, destination;
	__u16 source_port, destination_port;
	_Bool opens;
};

/* TCP over IPv4 without options, which none of ours have. */
static inline _Bool parse(struct __sk_buff *skb, struct packet *packet)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = data + ETH_HLEN;
	struct tcphdr *tcp = (void *)(ip + 1);
	if ((void *)(tcp + 1) > end || ethernet->h_proto != big_endian16(ETH_P_IP))
		return 0;
	if (ip->protocol != IPPROTO_TCP || ip->ihl != 5)
		return 0;
	packet->source = ip->saddr;
	packet->destination = ip->daddr;
	packet->source_port = tcp->source;
	packet->destination_port = tcp->dest;
	packet->opens = tcp->syn && !tcp->ack;
	return 1;
}

static inline void rewrite(struct __sk_buff *skb, __u32 address_at, __u32 port_at, __u32 from, __u32 to, __u16 from_port, __u16 to_port)
{
	replace_l4_checksum(skb, tcp_checksum_at, from, to, BPF_F_PSEUDO_HDR | sizeof(to));
	replace_l4_checksum(skb, tcp_checksum_at, from_port, to_port, sizeof(to_port));
	replace_l3_checksum(skb, ip_at(check), from, to, sizeof(to));
	store_bytes(skb, address_at, &to, sizeof(to), 0);
	store_bytes(skb, port_at, &to_port, sizeof(to_port), 0);
}

/* What a pod sends, as its node receives it. */
in_section("classifier/service") int service(struct __sk_buff *skb)
{
	struct packet packet;
	if (!parse(skb, &packet) || packet.destination != settings.service || packet.destination_port != settings.service_port)
		return TC_ACT_OK;
	if (packet.opens)
		count(translated);
	rewrite(skb, ip_at(daddr), tcp_at(dest), settings.service, settings.server, settings.service_port, settings.server_port);
	return TC_ACT_OK;
}

/* What comes back to it. */
in_section("classifier/reply") int reply(struct __sk_buff *skb)
{
	struct packet packet;
	if (!parse(skb, &packet) || packet.source != settings.server || packet.source_port != settings.server_port)
		return TC_ACT_OK;
	rewrite(skb, ip_at(saddr), tcp_at(source), settings.server, settings.service, settings.server_port, settings.service_port);
	return TC_ACT_OK;
}

/* What the server's node passes on to its pod. */
in_section("classifier/policy") int policy(struct __sk_buff *skb)
{
	struct packet packet;
	if (!parse(skb, &packet) || packet.destination != settings.server || packet.destination_port != settings.server_port)
		return TC_ACT_OK;
	if (packet.source != settings.client) {
		count(denied);
		return TC_ACT_SHOT;
	}
	if (packet.opens)
		count(allowed);
	return TC_ACT_OK;
}

char _license[] in_section("license") = "Apache-2.0";
