# What the agent says, in English. The other catalogues have the same messages with the same variables.
#
# Numbers ($n, $ports, ...) are grouped as the language does it; ports, addresses and times come as text.
# A sentence may turn its parts around, but it needs all of them.

## Titles: one line. $source is an address or a network; `.alone` is for where there is no single source.

title-port-scan = Port scan from { $source }
    .alone = Port scan
title-stealth-scan = Stealth port scan from { $source }
    .alone = Stealth port scan
title-ack-scan = Firewall probe (ACK scan) from { $source }
    .alone = Firewall probe (ACK scan)
title-udp-scan = UDP port scan from { $source }
    .alone = UDP port scan
title-protocol-scan = IP protocol scan from { $source }
    .alone = IP protocol scan
title-ping-sweep = Ping sweep from { $source }
    .alone = Ping sweep
title-port-sweep = Port sweep from { $source }
    .alone = Port sweep
# $port as in port-known or port-unknown.
title-service-search = Search for { $port } from { $source }
    .alone = Search for { $port }
title-slow-scan = Slow port scan from { $source }
    .alone = Slow port scan
# $n is 2 or more. `.more`: $n or more, the list was cut. `.unknown`: it is not known how many.
title-decoy-scan = Port scan hidden among { $n } addresses
    .more = Port scan hidden among { $n } or more addresses
    .unknown = Port scan hidden among decoys
title-distributed-scan = Port scan shared by { $n } addresses
    .more = Port scan shared by { $n } or more addresses
    .unknown = Port scan shared by several addresses
title-os-detection = Operating system detection from { $source }
    .alone = Operating system detection
title-flood = Packet flood from { $source }
    .alone = Packet flood
title-flood-on = Packet flood on { $port } from { $source }
    .alone = Packet flood on { $port }
title-backscatter = Somebody forges your address
title-tries = Repeated connection attempts from { $source }
    .alone = Repeated connection attempts
title-tries-at = Repeated attempts at { $port } from { $source }
    .alone = Repeated attempts at { $port }
title-egress-scan = This computer is scanning others
title-signature = Known attack pattern from { $source }
    .alone = Known attack pattern
title-visibility = The firewall log does not show everything
title-test = Firebell test
# A kind that this version does not know.
title-other = Firewall alert from { $source }
    .alone = Firewall alert
title-ended = { $title } (ended)

## What happened. $took as in the durations below, $which as in the lists of ports below (it may be empty).

# $technique as in technique-...
what-ports = { $technique }: { $ports ->
        [one] { $ports } port
       *[other] { $ports } ports
    } { $took }{ $which }.
what-ports-on = { $technique }: { $ports ->
        [one] { $ports } port
       *[other] { $ports } ports
    } on { $targets } addresses { $took }{ $which }.
    .more = { $technique }: { $ports ->
        [one] { $ports } port
       *[other] { $ports } ports
    } on { $targets } or more addresses { $took }{ $which }.
# Two sentences in one line.
what-two = { $first } { $second }
what-from = From { $sources }.
what-aimed-at = Aimed at { $targets }.
what-protocols = It tries which IP protocols you answer: { $n ->
        [one] { $n } protocol
       *[other] { $n } protocols
    } { $took }.
what-ping-sweep = It asks which of your addresses answer: { $n ->
        [one] { $n } address
       *[other] { $n } addresses
    } { $took }.
what-port-sweep = The same port on { $n ->
        [one] { $n } address
       *[other] { $n } addresses
    } { $took }{ $which }.
what-os-detection = It tries to find out which operating system runs here: { $n ->
        [one] { $n } packet
       *[other] { $n } packets
    } { $took }{ $which }.
# $known: the title of a rule, in the language of whoever wrote the rule.
what-signature = { $known }: { $n ->
        [one] { $n } packet
       *[other] { $n } packets
    } { $took }{ $which }.
what-visibility = Many packets never reach the log, so an attack may go unseen.
what-packets = { $n ->
        [one] { $n } packet
       *[other] { $n } packets
    } { $took }{ $which }.
what-packets-to = { $n ->
        [one] { $n } packet
       *[other] { $n } packets
    } to { $target } { $took }{ $which }.
what-backscatter = { $source } answers packets that this computer never sent: { $n ->
        [one] { $n } answer
       *[other] { $n } answers
    } { $took }.
    .alone = Somebody answers packets that this computer never sent: { $n ->
        [one] { $n } answer
       *[other] { $n } answers
    } { $took }.
what-egress = It tried { $n ->
        [one] { $n } connection
       *[other] { $n } connections
    } { $took }{ $which }; the firewall refused.
    .user = It tried { $n ->
        [one] { $n } connection
       *[other] { $n } connections
    } { $took }{ $which }, by user id { $uid }; the firewall refused.

technique-syn-scan = TCP SYN scan
technique-connect-scan = TCP connect scan
technique-fin-scan = TCP FIN scan
technique-null-scan = TCP scan without flags
technique-xmas-scan = TCP Xmas scan
technique-maimon-scan = TCP Maimon scan
technique-ack-scan = It tries which ports your firewall filters
technique-udp-scan = UDP scan
technique-slow-scan = A few ports at a time
technique-set = Probes that belong together

## Ports and lists.

# $name is what people call the port.
port-known = { $port } ({ $name })
port-unknown = port { $port }
# These three follow a number of ports.
which-one = : { $port }
which-all = : { $ports }
which-known = , among them { $ports }
# Joins a list: called again with its result as $list.
list-next = { $list }, { $next }
list-more = { $list } and { $n } more
list-others = { $list } and others
addresses-unlisted = addresses that are not listed

# What people call a port, where that is a word and not a name. The English ones are those of the table in the program.
service-remote-desktop = remote desktop
service-windows-shares = Windows shares
service-printing = printing
service-android-debugging = Android debugging
service-http-proxy = HTTP proxy
service-socks-proxy = SOCKS proxy
service-quote-of-the-day = quote of the day
service-ftp-data = FTP data
service-time = time
service-rpc-port-mapper = RPC port mapper
service-news = news
service-netbios-names = NetBIOS names
service-netbios-datagrams = NetBIOS datagrams
service-snmp-traps = SNMP traps
service-kerberos-passwords = Kerberos passwords
service-apple-file-sharing = Apple file sharing
service-rtsp-cameras = RTSP cameras
service-mail-submission = mail submission
service-apple-remote-desktop = Apple remote desktop
service-windows-remote-management = Windows remote management
service-router-management = router management (TR-069)
service-huawei-routers = Huawei routers
service-dahua-cameras = Dahua cameras
service-over-tls = { $name } over TLS
service-or = { $first } or { $second }

## Durations: how long something took.

# A number alone, for templates.
number = { $n }
took-moment = in less than a second
took-seconds = in { $n ->
        [one] { $n } second
       *[other] { $n } seconds
    }
took-minutes = in { $n ->
        [one] { $n } minute
       *[other] { $n } minutes
    }
took-hours = in { $n ->
        [one] { $n } hour
       *[other] { $n } hours
    }
took-days = in { $n ->
        [one] { $n } day
       *[other] { $n } days
    }

# Something that took long, with its beginning. $time as 14:05, $day as in `day`.
since-time = { $took } (since { $time })
since-day = { $took } (since { $day }, { $time })
day = { $day } { $month ->
        [1] January
        [2] February
        [3] March
        [4] April
        [5] May
        [6] June
        [7] July
        [8] August
        [9] September
        [10] October
        [11] November
       *[12] December
    }

## What is known, what the firewall did, how sure it is.

known-tool = Tool: { $tool }.
# $what is the title of a rule, in the language of whoever wrote the rule.
known-surely = Recognised: { $what }
known-likely = Looks like: { $what }
did-drop = The firewall dropped the packets.
did-reject = The firewall rejected the packets.
did-accept = The firewall let the packets through.
did-unknown = The log does not say what the firewall did with the packets.
sure-address = The sender's address is most likely real.
doubt-line = Not certain: any program on this computer can write such log lines.
doubt-address = The sender's address may be forged.
# $name is what this computer calls the address; the address itself proves nothing.
doubt-name = The sender's address may be forged; { $name } is only what the address is called here.
doubt-decoys = At most one of these addresses is the real one.

## What to do.

advice-egress = Find the program that does this; it may be malware. Take this computer off the network meanwhile.
advice-visibility = Look at the limits of your firewall's log rules.
advice-backscatter = Nothing to do: it is not an attack on you.
advice-flood = If a service stops answering, ask your provider for help.
advice-decoys = Do not block these addresses without looking: all but one are innocent.
advice-near = The source is in your own network: find out which device it is, and what runs on it.
advice-accepted = Check whether what listens there should be reachable.
advice-unknown = Check that your firewall blocks it.
advice-refused = Nothing to do as long as your firewall holds.

## The end of an incident.

over-time = Over: no packet since { $time }.
over-day = Over: no packet since { $day }, { $time }.

## Who the source is, where this computer knows it. $name and $maker come from files on this computer or from the network.

source-named = { $source } ({ $name })
name-self = this computer
name-router = your router
device-named = { $name }, a device of { $maker }.
device = A device of { $maker }.
device-random = A device that hides its maker (random MAC address), often a phone.

## A test.

test-asked = Somebody asked for a test.
test-seen = You see this, so alerts reach you.

## Several incidents in one popup.

several-title = { $n ->
        [one] { $n } more firewall incident
       *[other] { $n } more firewall incidents
    }
several-item = { $title }.
several-rest = And { $n } more.
several-why = Shown together, so that they do not fill your screen.

## Nobody watches the firewall log.

# $reason is the collector's own sentence, in English.
blind-why = { $reason }
blind-title = Firebell cannot see the firewall log
absent-title = Firebell is not watching
absent-why = Its collector (firebelld) has not been running for a minute or longer.
unwatched = Until that changes you will not hear of attacks.

## What the user asked for.

preview-title = Preview: { $title }
preview-body = This is a preview; nothing has happened.
preview-shown = The preview is on the screen.
# $source is an address or a network. These are followed by hidden-up-to and hidden-undo.
hidden-muted = { $source } is muted until you end it.
hidden-muted-minutes = { $source } is muted for { $n ->
        [one] { $n } minute
       *[other] { $n } minutes
    }.
hidden-muted-hours = { $source } is muted for { $n ->
        [one] { $n } hour
       *[other] { $n } hours
    }.
hidden-muted-days = { $source } is muted for { $n ->
        [one] { $n } day
       *[other] { $n } days
    }.
hidden-trusted = { $source } is trusted.
hidden-up-to = What is worse than severity { $severity } is still shown.
# These two are followed by hidden-undo.
hidden-unmuted = { $source } is no longer muted; what it did meanwhile is not shown again.
hidden-untrusted = { $source } is no longer trusted; what it did meanwhile is not shown again.
# $command is what to type.
hidden-undo = To undo: { $command }

## Buttons, short, and what follows a click.

button-details = Details
button-mute = Mute this source
button-trust = Trust this device
button-undo = Undo
# $id is the number of an incident; the command is typed as it is.
details-failed = The page could not be opened. In a terminal, firebell show { $id } tells the same.

## Popups as text (--print): the line above the body.

print-head = severity { $severity }, { $title }
    .update = severity { $severity } (update), { $title }

## What happened while nobody was there, and the digest.

# $n is 1 or more, $sources too; .alone: it is not known from how many addresses.
away-scans = { $n ->
        [one] { $n } scan
       *[other] { $n } scans
    } from { $sources ->
        [one] { $sources } address
       *[other] { $sources } addresses
    }
    .alone = { $n ->
        [one] { $n } scan
       *[other] { $n } scans
    }
away-incidents = { $n ->
        [one] { $n } incident
       *[other] { $n } incidents
    } from { $sources ->
        [one] { $sources } address
       *[other] { $sources } addresses
    }
    .alone = { $n ->
        [one] { $n } incident
       *[other] { $n } incidents
    }
# $what as in the two above.
away-title = While you were away: { $what }
away-worst = The worst: { $title }.
away-sources = There are more than { $n } sources.
away-over = All of it is over. To list it: firebell alerts
# $n sources; .alone: $n incidents.
digest-title = { $n ->
        [one] { $n } source probed you
       *[other] { $n } sources probed you
    }
    .alone = { $n ->
        [one] { $n } small incident
       *[other] { $n } small incidents
    }
digest-harmless = Nothing of it was aimed at you.
digest-advice = To list it: firebell alerts
