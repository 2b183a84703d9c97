# Was der Agent sagt, auf Deutsch. Erklärungen zu den Meldungen stehen im englischen Katalog.

## Titel

title-port-scan = Portscan von { $source }
    .alone = Portscan
title-stealth-scan = Verdeckter Portscan von { $source }
    .alone = Verdeckter Portscan
title-ack-scan = Abtasten der Firewall (ACK-Scan) von { $source }
    .alone = Abtasten der Firewall (ACK-Scan)
title-udp-scan = UDP-Portscan von { $source }
    .alone = UDP-Portscan
title-protocol-scan = IP-Protokollscan von { $source }
    .alone = IP-Protokollscan
title-ping-sweep = Ping-Suche von { $source }
    .alone = Ping-Suche
title-port-sweep = Portsuche von { $source }
    .alone = Portsuche
title-service-search = Suche nach { $port } von { $source }
    .alone = Suche nach { $port }
title-slow-scan = Langsamer Portscan von { $source }
    .alone = Langsamer Portscan
title-decoy-scan = Portscan, versteckt unter { $n } Adressen
    .more = Portscan, versteckt unter { $n } oder mehr Adressen
    .unknown = Portscan, versteckt unter Scheinadressen
title-distributed-scan = Portscan, verteilt auf { $n } Adressen
    .more = Portscan, verteilt auf { $n } oder mehr Adressen
    .unknown = Portscan, verteilt auf mehrere Adressen
title-os-detection = Betriebssystem-Erkennung von { $source }
    .alone = Betriebssystem-Erkennung
title-flood = Paketflut von { $source }
    .alone = Paketflut
title-flood-on = Paketflut auf { $port } von { $source }
    .alone = Paketflut auf { $port }
title-backscatter = Jemand fälscht Ihre Adresse
title-tries = Wiederholte Verbindungsversuche von { $source }
    .alone = Wiederholte Verbindungsversuche
title-tries-at = Wiederholte Versuche an { $port } von { $source }
    .alone = Wiederholte Versuche an { $port }
title-egress-scan = Dieser Computer scannt andere
title-signature = Bekanntes Angriffsmuster von { $source }
    .alone = Bekanntes Angriffsmuster
title-visibility = Das Firewall-Protokoll zeigt nicht alles
title-test = Firebell-Test
title-other = Firewall-Meldung zu { $source }
    .alone = Firewall-Meldung
title-ended = { $title } (beendet)

## Was geschah

what-ports = { $technique }: { $ports ->
        [one] { $ports } Port
       *[other] { $ports } Ports
    } { $took }{ $which }.
what-ports-on = { $technique }: { $ports ->
        [one] { $ports } Port
       *[other] { $ports } Ports
    } auf { $targets } Adressen { $took }{ $which }.
    .more = { $technique }: { $ports ->
        [one] { $ports } Port
       *[other] { $ports } Ports
    } auf { $targets } oder mehr Adressen { $took }{ $which }.
what-two = { $first } { $second }
what-from = Von { $sources }.
what-aimed-at = Ziele: { $targets }.
what-protocols = Es wird probiert, welche IP-Protokolle Sie beantworten: { $n ->
        [one] { $n } Protokoll
       *[other] { $n } Protokolle
    } { $took }.
what-ping-sweep = Es wird gefragt, welche Ihrer Adressen antworten: { $n ->
        [one] { $n } Adresse
       *[other] { $n } Adressen
    } { $took }.
what-port-sweep = Derselbe Port auf { $n ->
        [one] { $n } Adresse
       *[other] { $n } Adressen
    } { $took }{ $which }.
what-os-detection = Es wird probiert, welches Betriebssystem hier läuft: { $n ->
        [one] { $n } Paket
       *[other] { $n } Pakete
    } { $took }{ $which }.
what-signature = { $known }: { $n ->
        [one] { $n } Paket
       *[other] { $n } Pakete
    } { $took }{ $which }.
what-visibility = Viele Pakete erreichen das Protokoll nicht, ein Angriff kann also unbemerkt bleiben.
what-packets = { $n ->
        [one] { $n } Paket
       *[other] { $n } Pakete
    } { $took }{ $which }.
what-packets-to = { $n ->
        [one] { $n } Paket
       *[other] { $n } Pakete
    } an { $target } { $took }{ $which }.
what-backscatter = { $source } antwortet auf Pakete, die dieser Computer nie gesendet hat: { $n ->
        [one] { $n } Antwort
       *[other] { $n } Antworten
    } { $took }.
    .alone = Jemand antwortet auf Pakete, die dieser Computer nie gesendet hat: { $n ->
        [one] { $n } Antwort
       *[other] { $n } Antworten
    } { $took }.
what-egress = Er hat { $n ->
        [one] { $n } Verbindung
       *[other] { $n } Verbindungen
    } { $took } versucht{ $which }; die Firewall hat sie abgelehnt.
    .user = Er hat { $n ->
        [one] { $n } Verbindung
       *[other] { $n } Verbindungen
    } { $took } versucht{ $which }, mit der Benutzer-ID { $uid }; die Firewall hat sie abgelehnt.

technique-syn-scan = TCP-SYN-Scan
technique-connect-scan = TCP-Connect-Scan
technique-fin-scan = TCP-FIN-Scan
technique-null-scan = TCP-Scan ohne Flags
technique-xmas-scan = TCP-Xmas-Scan
technique-maimon-scan = TCP-Maimon-Scan
technique-ack-scan = Es wird probiert, welche Ports Ihre Firewall filtert
technique-udp-scan = UDP-Scan
technique-slow-scan = Immer nur wenige Ports auf einmal
technique-set = Pakete, die zusammengehören

## Ports und Listen

port-known = { $port } ({ $name })
port-unknown = Port { $port }
which-one = : { $port }
which-all = : { $ports }
which-known = , darunter { $ports }
list-next = { $list }, { $next }
list-more = { $list } und { $n } weitere
list-others = { $list } und weitere
addresses-unlisted = Adressen, die nicht aufgeführt sind

service-remote-desktop = Remotedesktop
service-windows-shares = Windows-Freigaben
service-printing = Drucken
service-android-debugging = Android-Debugging
service-http-proxy = HTTP-Proxy
service-socks-proxy = SOCKS-Proxy
service-quote-of-the-day = Spruch des Tages
service-ftp-data = FTP-Daten
service-time = Uhrzeit
service-rpc-port-mapper = RPC-Portmapper
service-news = Usenet
service-netbios-names = NetBIOS-Namen
service-netbios-datagrams = NetBIOS-Datagramme
service-snmp-traps = SNMP-Meldungen
service-kerberos-passwords = Kerberos-Passwörter
service-apple-file-sharing = Apple-Dateifreigabe
service-rtsp-cameras = RTSP-Kameras
service-mail-submission = E-Mail-Versand
service-apple-remote-desktop = Apple-Fernzugriff
service-windows-remote-management = Windows-Fernverwaltung
service-router-management = Router-Fernwartung (TR-069)
service-huawei-routers = Huawei-Router
service-dahua-cameras = Dahua-Kameras
service-over-tls = { $name } über TLS
service-or = { $first } oder { $second }

## Dauer und Zeit

number = { $n }
took-moment = in weniger als einer Sekunde
took-seconds = in { $n ->
        [one] { $n } Sekunde
       *[other] { $n } Sekunden
    }
took-minutes = in { $n ->
        [one] { $n } Minute
       *[other] { $n } Minuten
    }
took-hours = in { $n ->
        [one] { $n } Stunde
       *[other] { $n } Stunden
    }
took-days = in { $n ->
        [one] { $n } Tag
       *[other] { $n } Tagen
    }
since-time = { $took } (seit { $time } Uhr)
since-day = { $took } (seit { $day }, { $time } Uhr)
day = { $day }. { $month ->
        [1] Januar
        [2] Februar
        [3] März
        [4] April
        [5] Mai
        [6] Juni
        [7] Juli
        [8] August
        [9] September
        [10] Oktober
        [11] November
       *[12] Dezember
    }

## Was bekannt ist, was die Firewall tat, wie sicher es ist

known-tool = Werkzeug: { $tool }.
known-surely = Erkannt: { $what }
known-likely = Sieht aus wie: { $what }
did-drop = Die Firewall hat die Pakete verworfen.
did-reject = Die Firewall hat die Pakete abgewiesen.
did-accept = Die Firewall hat die Pakete durchgelassen.
did-unknown = Das Protokoll sagt nicht, was die Firewall mit den Paketen getan hat.
sure-address = Die Absenderadresse ist höchstwahrscheinlich echt.
doubt-line = Nicht sicher: Jedes Programm auf diesem Computer kann solche Protokollzeilen schreiben.
doubt-address = Die Absenderadresse kann gefälscht sein.
doubt-name = Die Absenderadresse kann gefälscht sein; { $name } heißt hier nur die Adresse.
doubt-decoys = Höchstens eine dieser Adressen ist die echte.

## Was zu tun ist

advice-egress = Suchen Sie das Programm, das dies tut; es kann Schadsoftware sein. Trennen Sie diesen Computer bis dahin vom Netz.
advice-visibility = Prüfen Sie die Begrenzungen in den Protokollregeln Ihrer Firewall.
advice-backscatter = Nichts zu tun: Es ist kein Angriff auf Sie.
advice-flood = Wenn ein Dienst nicht mehr antwortet, bitten Sie Ihren Provider um Hilfe.
advice-decoys = Sperren Sie diese Adressen nicht ungeprüft: Alle bis auf eine sind unbeteiligt.
advice-near = Die Quelle ist in Ihrem eigenen Netz: Finden Sie heraus, welches Gerät es ist und was darauf läuft.
advice-accepted = Prüfen Sie, ob das, was dort lauscht, erreichbar sein soll.
advice-unknown = Prüfen Sie, ob Ihre Firewall es sperrt.
advice-refused = Nichts zu tun, solange Ihre Firewall hält.

## Das Ende eines Vorfalls

over-time = Vorbei: kein Paket mehr seit { $time } Uhr.
over-day = Vorbei: kein Paket mehr seit { $day }, { $time } Uhr.

## Wer die Quelle ist

source-named = { $source } ({ $name })
name-self = dieser Computer
name-router = Ihr Router
device-named = { $name }, ein Gerät von { $maker }.
device = Ein Gerät von { $maker }.
device-random = Ein Gerät, das seinen Hersteller verbirgt (zufällige MAC-Adresse), oft ein Telefon.

## Ein Test

test-asked = Jemand hat um einen Test gebeten.
test-seen = Sie sehen dies, also erreichen Sie die Meldungen.

## Mehrere Vorfälle

several-title = { $n ->
        [one] { $n } weiterer Firewall-Vorfall
       *[other] { $n } weitere Firewall-Vorfälle
    }
several-item = { $title }.
several-rest = { $n ->
        [one] Und { $n } weiterer.
       *[other] Und { $n } weitere.
    }
several-why = Zusammen gezeigt, damit sie Ihren Bildschirm nicht füllen.

## Niemand beobachtet das Protokoll

blind-why = Der Sammeldienst meldet: { $reason }
blind-title = Firebell kann das Firewall-Protokoll nicht sehen
absent-title = Firebell wacht nicht
absent-why = Der Sammeldienst (firebelld) läuft seit einer Minute oder länger nicht.
unwatched = Bis sich das ändert, erfahren Sie nichts von Angriffen.

## Was der Benutzer wollte

preview-title = Vorschau: { $title }
preview-body = Dies ist eine Vorschau; es ist nichts geschehen.
preview-shown = Die Vorschau ist auf dem Bildschirm.
hidden-muted = { $source } ist stummgeschaltet, bis Sie es beenden.
hidden-muted-minutes = { $source } ist für { $n ->
        [one] { $n } Minute
       *[other] { $n } Minuten
    } stummgeschaltet.
hidden-muted-hours = { $source } ist für { $n ->
        [one] { $n } Stunde
       *[other] { $n } Stunden
    } stummgeschaltet.
hidden-muted-days = { $source } ist für { $n ->
        [one] { $n } Tag
       *[other] { $n } Tage
    } stummgeschaltet.
hidden-trusted = { $source } gilt als vertrauenswürdig.
hidden-up-to = Was schlimmer ist als Schweregrad { $severity }, wird weiter gezeigt.
hidden-unmuted = { $source } ist nicht mehr stummgeschaltet; was inzwischen geschah, wird nicht nachträglich gezeigt.
hidden-untrusted = { $source } gilt nicht mehr als vertrauenswürdig; was inzwischen geschah, wird nicht nachträglich gezeigt.
hidden-undo = Rückgängig machen: { $command }

## Buttons, short, and what follows a click.

button-details = Details
button-mute = Quelle stummschalten
button-trust = Gerät vertrauen
button-undo = Rückgängig
# $id is the number of an incident; the command is typed as it is.
details-failed = Die Seite konnte nicht geöffnet werden. Im Terminal sagt firebell show { $id } dasselbe.

## Als Text

print-head = Schweregrad { $severity }, { $title }
    .update = Schweregrad { $severity } (aktualisiert), { $title }

## Was geschah, während niemand da war, und die Zusammenfassung

away-scans = { $n ->
        [one] { $n } Scan
       *[other] { $n } Scans
    } von { $sources ->
        [one] { $sources } Adresse
       *[other] { $sources } Adressen
    }
    .alone = { $n ->
        [one] { $n } Scan
       *[other] { $n } Scans
    }
away-incidents = { $n ->
        [one] { $n } Vorfall
       *[other] { $n } Vorfälle
    } von { $sources ->
        [one] { $sources } Adresse
       *[other] { $sources } Adressen
    }
    .alone = { $n ->
        [one] { $n } Vorfall
       *[other] { $n } Vorfälle
    }
away-title = Während Sie weg waren: { $what }
away-worst = Das Schlimmste: { $title }.
away-sources = Es sind mehr als { $n } Quellen.
away-over = Alles davon ist vorbei. Auflisten mit: firebell alerts
digest-title = { $n ->
        [one] { $n } Quelle hat bei Ihnen angeklopft
       *[other] { $n } Quellen haben bei Ihnen angeklopft
    }
    .alone = { $n ->
        [one] { $n } kleiner Vorfall
       *[other] { $n } kleine Vorfälle
    }
digest-harmless = Nichts davon war auf Sie gezielt.
digest-advice = Auflisten mit: firebell alerts
