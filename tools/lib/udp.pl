#!/usr/bin/perl
# The lab's UDP: a server that answers with its name, and a client that counts answers.
#   udp.pl serve NAME ADDRESS,… PORTS,…       PORTS may hold ranges
#   udp.pl ask ADDRESS PORT [SOURCE]          prints the name that answered
#   udp.pl probe ADDRESS PORT SOURCE RATE SECONDS
#     sends RATE numbered packets a second and prints: sent N answered N gap MILLISECONDS servers NAME,…
#     where gap is the longest time between two answers; SIGTERM ends it early
use strict;
use warnings;
use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6 IPPROTO_IPV6 IPV6_V6ONLY AF_INET6 MSG_DONTWAIT);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC sleep);

sub socket_address {
    my ($address, $port) = @_;
    return $address =~ /:/
        ? (AF_INET6, pack_sockaddr_in6($port, inet_pton(AF_INET6, $address)))
        : (AF_INET, pack_sockaddr_in($port, inet_pton(AF_INET, $address)));
}

# Bound to one address each, so that an answer leaves with the address that was asked: a VIP, in direct routing.
sub bound {
    my ($address, $port) = @_;
    my ($family, $name) = socket_address($address, $port);
    socket(my $socket, $family, SOCK_DGRAM, 0) or die "socket: $!\n";
    setsockopt($socket, IPPROTO_IPV6, IPV6_V6ONLY, 1) if $family == AF_INET6;
    setsockopt($socket, SOL_SOCKET, SO_RCVBUF, 4_000_000);
    bind($socket, $name) or die "bind $address port $port: $!\n";
    return $socket;
}

sub readable {
    my ($seconds, @sockets) = @_;
    my $wanted = '';
    vec($wanted, fileno($_), 1) = 1 for @sockets;
    my $ready = $wanted;
    return () if select($ready, undef, undef, $seconds) <= 0;
    return grep { vec($ready, fileno($_), 1) } @sockets;
}

sub serve {
    my ($name, $addresses, $ports) = @_;
    my @ports = map { /^(\d+)-(\d+)$/ ? ($1 .. $2) : $_ } split /,/, $ports;
    my @sockets = map { my $address = $_; map { bound($address, $_) } @ports } split /,/, $addresses;
    while (1) {
        for my $socket (readable(undef, @sockets)) {
            while (defined(my $from = recv($socket, my $text, 2048, MSG_DONTWAIT))) {
                send($socket, "$name $text", MSG_DONTWAIT, $from);
            }
        }
    }
}

sub towards {
    my ($address, $port, $source) = @_;
    my $socket = bound($source || ($address =~ /:/ ? '::' : '0.0.0.0'), 0);
    my (undef, $name) = socket_address($address, $port);
    connect($socket, $name) or die "connect $address port $port: $!\n";
    return $socket;
}

sub ask {
    my $socket = towards(@_);
    for (1 .. 3) {
        send($socket, 'who', 0);
        next unless readable(1, $socket);
        my $answered = defined recv($socket, my $text, 2048, 0);
        if ($answered) { print +(split ' ', $text)[0], "\n"; return 0; }
    }
    print STDERR "no answer from $_[0] port $_[1]\n";
    return 1;
}

sub probe {
    my ($address, $port, $source, $rate, $seconds) = @_;
    my $socket = towards($address, $port, $source);
    my ($sent, $answered, $gap, $ended, %seen, %servers) = (0, 0, 0, 0);
    $SIG{TERM} = sub { $ended = 1 };
    my $began = clock_gettime(CLOCK_MONOTONIC);
    my $last = $began;
    my $collect = sub {
        while (defined recv($socket, my $text, 2048, MSG_DONTWAIT)) {
            my $now = clock_gettime(CLOCK_MONOTONIC);
            my ($server, $number) = split ' ', $text;
            next if $seen{$number}++;
            $servers{$server}++;
            $answered++;
            $gap = $now - $last if $now - $last > $gap;
            $last = $now;
        }
    };
    while (!$ended && (my $now = clock_gettime(CLOCK_MONOTONIC)) < $began + $seconds) {
        for (; $sent < ($now - $began) * $rate; $sent++) { send($socket, $sent, 0); }
        my $pause = $began + ($sent + 1) / $rate - clock_gettime(CLOCK_MONOTONIC);
        $collect->() if readable($pause > 0 ? $pause : 0, $socket);
        $pause = $began + ($sent + 1) / $rate - clock_gettime(CLOCK_MONOTONIC);
        sleep $pause if $pause > 0;
    }
    my $deadline = clock_gettime(CLOCK_MONOTONIC) + 1;
    while ($answered < $sent && clock_gettime(CLOCK_MONOTONIC) < $deadline) {
        $collect->() if readable(0.1, $socket);
    }
    printf "sent %d answered %d gap %d servers %s\n", $sent, $answered, $gap * 1000 + 0.5, join ',', sort keys %servers;
    return 0;
}

my %verbs = (serve => \&serve, ask => \&ask, probe => \&probe);
my $verb = $verbs{shift // ''} or die "usage: udp.pl serve|ask|probe …\n";
exit $verb->(@ARGV);
