# Ce que dit l'agent, en français. Les explications des messages sont dans le catalogue anglais.

## Titres

title-port-scan = Scan de ports depuis { $source }
    .alone = Scan de ports
title-stealth-scan = Scan de ports furtif depuis { $source }
    .alone = Scan de ports furtif
title-ack-scan = Sondage du pare-feu (scan ACK) depuis { $source }
    .alone = Sondage du pare-feu (scan ACK)
title-udp-scan = Scan de ports UDP depuis { $source }
    .alone = Scan de ports UDP
title-protocol-scan = Scan de protocoles IP depuis { $source }
    .alone = Scan de protocoles IP
title-ping-sweep = Recherche de machines par ping depuis { $source }
    .alone = Recherche de machines par ping
title-port-sweep = Balayage de ports depuis { $source }
    .alone = Balayage de ports
title-service-search = Recherche de { $port } depuis { $source }
    .alone = Recherche de { $port }
title-slow-scan = Scan de ports lent depuis { $source }
    .alone = Scan de ports lent
title-decoy-scan = Scan de ports caché parmi { $n } adresses
    .more = Scan de ports caché parmi { $n } adresses ou plus
    .unknown = Scan de ports caché parmi des leurres
title-distributed-scan = Scan de ports réparti sur { $n } adresses
    .more = Scan de ports réparti sur { $n } adresses ou plus
    .unknown = Scan de ports réparti sur plusieurs adresses
title-os-detection = Détection du système d'exploitation depuis { $source }
    .alone = Détection du système d'exploitation
title-flood = Déluge de paquets depuis { $source }
    .alone = Déluge de paquets
title-flood-on = Déluge de paquets sur { $port } depuis { $source }
    .alone = Déluge de paquets sur { $port }
title-backscatter = Quelqu'un usurpe votre adresse
title-tries = Tentatives de connexion répétées depuis { $source }
    .alone = Tentatives de connexion répétées
title-tries-at = Tentatives répétées sur { $port } depuis { $source }
    .alone = Tentatives répétées sur { $port }
title-egress-scan = Cet ordinateur scanne d'autres machines
title-signature = Motif d'attaque connu depuis { $source }
    .alone = Motif d'attaque connu
title-visibility = Le journal du pare-feu ne montre pas tout
title-test = Test de Firebell
title-other = Alerte du pare-feu concernant { $source }
    .alone = Alerte du pare-feu
title-ended = { $title } (c'est terminé)

## Ce qui s'est passé

what-ports = { $technique }{"\u00A0"}: { $ports ->
        [one] { $ports } port
       *[other] { $ports } ports
    } { $took }{ $which }.
what-ports-on = { $technique }{"\u00A0"}: { $ports ->
        [one] { $ports } port
       *[other] { $ports } ports
    } sur { $targets } adresses { $took }{ $which }.
    .more = { $technique }{"\u00A0"}: { $ports ->
        [one] { $ports } port
       *[other] { $ports } ports
    } sur { $targets } adresses ou plus { $took }{ $which }.
what-two = { $first } { $second }
what-from = Depuis { $sources }.
what-aimed-at = Cibles{"\u00A0"}: { $targets }.
what-protocols = On essaie de savoir à quels protocoles IP vous répondez{"\u00A0"}: { $n ->
        [one] { $n } protocole
       *[other] { $n } protocoles
    } { $took }.
what-ping-sweep = On demande lesquelles de vos adresses répondent{"\u00A0"}: { $n ->
        [one] { $n } adresse
       *[other] { $n } adresses
    } { $took }.
what-port-sweep = Le même port sur { $n ->
        [one] { $n } adresse
       *[other] { $n } adresses
    } { $took }{ $which }.
what-os-detection = On essaie de savoir quel système d'exploitation tourne ici{"\u00A0"}: { $n ->
        [one] { $n } paquet
       *[other] { $n } paquets
    } { $took }{ $which }.
what-signature = { $known }{"\u00A0"}: { $n ->
        [one] { $n } paquet
       *[other] { $n } paquets
    } { $took }{ $which }.
what-visibility = De nombreux paquets n'arrivent pas dans le journal{"\u00A0"}; une attaque peut donc passer inaperçue.
what-packets = { $n ->
        [one] { $n } paquet
       *[other] { $n } paquets
    } { $took }{ $which }.
what-packets-to = { $n ->
        [one] { $n } paquet
       *[other] { $n } paquets
    } vers { $target } { $took }{ $which }.
what-backscatter = { $source } répond à des paquets que cet ordinateur n'a jamais envoyés{"\u00A0"}: { $n ->
        [one] { $n } réponse
       *[other] { $n } réponses
    } { $took }.
    .alone = Quelqu'un répond à des paquets que cet ordinateur n'a jamais envoyés{"\u00A0"}: { $n ->
        [one] { $n } réponse
       *[other] { $n } réponses
    } { $took }.
what-egress = Il a tenté { $n ->
        [one] { $n } connexion
       *[other] { $n } connexions
    } { $took }{ $which }{"\u00A0"}; le pare-feu a refusé.
    .user = Il a tenté { $n ->
        [one] { $n } connexion
       *[other] { $n } connexions
    } { $took }{ $which }, sous l'identifiant d'utilisateur { $uid }{"\u00A0"}; le pare-feu a refusé.

technique-syn-scan = Scan TCP SYN
technique-connect-scan = Scan TCP connect
technique-fin-scan = Scan TCP FIN
technique-null-scan = Scan TCP sans drapeaux
technique-xmas-scan = Scan TCP Xmas
technique-maimon-scan = Scan TCP Maimon
technique-ack-scan = On essaie de savoir quels ports votre pare-feu filtre
technique-udp-scan = Scan UDP
technique-slow-scan = Quelques ports à la fois
technique-set = Des sondes qui vont ensemble

## Ports et listes

port-known = { $port } ({ $name })
port-unknown = port { $port }
which-one = {"\u00A0"}: { $port }
which-all = {"\u00A0"}: { $ports }
which-known = , dont { $ports }
list-next = { $list }, { $next }
list-more = { $list } et { $n ->
        [one] { $n } autre
       *[other] { $n } autres
    }
list-others = { $list } et d'autres
addresses-unlisted = des adresses qui ne sont pas listées

service-remote-desktop = bureau à distance
service-windows-shares = partages Windows
service-printing = impression
service-android-debugging = débogage Android
service-http-proxy = proxy HTTP
service-socks-proxy = proxy SOCKS
service-quote-of-the-day = citation du jour
service-ftp-data = données FTP
service-time = heure
service-rpc-port-mapper = mappeur de ports RPC
service-news = Usenet
service-netbios-names = noms NetBIOS
service-netbios-datagrams = datagrammes NetBIOS
service-snmp-traps = notifications SNMP
service-kerberos-passwords = mots de passe Kerberos
service-apple-file-sharing = partage de fichiers Apple
service-rtsp-cameras = caméras RTSP
service-mail-submission = envoi de courrier
service-apple-remote-desktop = bureau à distance Apple
service-windows-remote-management = administration à distance de Windows
service-router-management = administration de routeur (TR-069)
service-huawei-routers = routeurs Huawei
service-dahua-cameras = caméras Dahua
service-over-tls = { $name } sur TLS
service-or = { $first } ou { $second }

## Durées et heures

number = { $n }
took-moment = en moins d'une seconde
took-seconds = en { $n ->
        [one] { $n } seconde
       *[other] { $n } secondes
    }
took-minutes = en { $n ->
        [one] { $n } minute
       *[other] { $n } minutes
    }
took-hours = en { $n ->
        [one] { $n } heure
       *[other] { $n } heures
    }
took-days = en { $n ->
        [one] { $n } jour
       *[other] { $n } jours
    }
since-time = { $took } (depuis { $time })
since-day = { $took } (depuis le { $day } à { $time })
day = { $day ->
        [1] 1er
       *[other] { $day }
    } { $month ->
        [1] janvier
        [2] février
        [3] mars
        [4] avril
        [5] mai
        [6] juin
        [7] juillet
        [8] août
        [9] septembre
        [10] octobre
        [11] novembre
       *[12] décembre
    }

## Ce qui est connu, ce que le pare-feu a fait, à quel point c'est sûr

known-tool = Outil{"\u00A0"}: { $tool }.
known-surely = Reconnu{"\u00A0"}: { $what }
known-likely = Ressemble à{"\u00A0"}: { $what }
did-drop = Le pare-feu a ignoré les paquets.
did-reject = Le pare-feu a rejeté les paquets.
did-accept = Le pare-feu a laissé passer les paquets.
did-unknown = Le journal ne dit pas ce que le pare-feu a fait des paquets.
sure-address = L'adresse de l'expéditeur est très probablement authentique.
doubt-line = Incertain{"\u00A0"}: n'importe quel programme de cet ordinateur peut écrire de telles lignes dans le journal.
doubt-address = L'adresse de l'expéditeur est peut-être falsifiée.
doubt-name = L'adresse de l'expéditeur est peut-être falsifiée{"\u00A0"}; { $name } est seulement le nom de cette adresse ici.
doubt-decoys = Une seule de ces adresses au plus est la vraie.

## Ce qu'il faut faire

advice-egress = Cherchez le programme qui fait cela{"\u00A0"}; c'est peut-être un logiciel malveillant. En attendant, déconnectez cet ordinateur du réseau.
advice-visibility = Vérifiez les limites des règles de journalisation de votre pare-feu.
advice-backscatter = Rien à faire{"\u00A0"}: ce n'est pas une attaque contre vous.
advice-flood = Si un service ne répond plus, demandez de l'aide à votre fournisseur d'accès.
advice-decoys = Ne bloquez pas ces adresses sans vérifier{"\u00A0"}: toutes sauf une sont innocentes.
advice-near = La source est dans votre propre réseau{"\u00A0"}: cherchez de quel appareil il s'agit et ce qui y tourne.
advice-accepted = Vérifiez si ce qui écoute là doit être accessible.
advice-unknown = Vérifiez que votre pare-feu le bloque.
advice-refused = Rien à faire tant que votre pare-feu tient.

## La fin d'un incident

over-time = Terminé{"\u00A0"}: aucun paquet depuis { $time }.
over-day = Terminé{"\u00A0"}: aucun paquet depuis le { $day } à { $time }.

## Qui est la source

source-named = { $source } ({ $name })
name-self = cet ordinateur
name-router = votre routeur
device-named = { $name }, un appareil de { $maker }.
device = Un appareil de { $maker }.
device-random = Un appareil qui cache son fabricant (adresse MAC aléatoire), souvent un téléphone.

## Un test

test-asked = Quelqu'un a demandé un test.
test-seen = Vous voyez ceci, donc les alertes vous parviennent.

## Plusieurs incidents

several-title = { $n ->
        [one] { $n } autre incident de pare-feu
       *[other] { $n } autres incidents de pare-feu
    }
several-item = { $title }.
several-rest = { $n ->
        [one] Et { $n } autre.
       *[other] Et { $n } autres.
    }
several-why = Montrés ensemble, pour ne pas remplir votre écran.

## Personne ne surveille le journal

blind-why = Le collecteur signale{"\u00A0"}: { $reason }
blind-title = Firebell ne voit pas le journal du pare-feu
absent-title = Firebell ne surveille pas
absent-why = Son collecteur (firebelld) ne tourne pas depuis une minute ou plus.
unwatched = Tant que cela dure, vous ne serez pas averti des attaques.

## Ce que l'utilisateur a demandé

preview-title = Aperçu{"\u00A0"}: { $title }
preview-body = Ceci est un aperçu{"\u00A0"}; rien ne s'est passé.
preview-shown = L'aperçu est à l'écran.
hidden-muted = { $source } est en sourdine jusqu'à ce que vous y mettiez fin.
hidden-muted-minutes = { $source } est en sourdine pendant { $n ->
        [one] { $n } minute
       *[other] { $n } minutes
    }.
hidden-muted-hours = { $source } est en sourdine pendant { $n ->
        [one] { $n } heure
       *[other] { $n } heures
    }.
hidden-muted-days = { $source } est en sourdine pendant { $n ->
        [one] { $n } jour
       *[other] { $n } jours
    }.
hidden-trusted = { $source } est considéré comme sûr.
hidden-up-to = Ce qui dépasse la gravité { $severity } reste affiché.
hidden-unmuted = { $source } n'est plus en sourdine{"\u00A0"}; ce qui s'est passé entre-temps ne sera pas affiché.
hidden-untrusted = { $source } n'est plus considéré comme sûr{"\u00A0"}; ce qui s'est passé entre-temps ne sera pas affiché.
hidden-undo = Pour annuler{"\u00A0"}: { $command }

## Buttons, short, and what follows a click.

button-details = Détails
button-mute = Masquer cette source
button-trust = Faire confiance
button-undo = Annuler
# $id is the number of an incident; the command is typed as it is.
details-failed = La page n’a pas pu être ouverte. Dans un terminal, firebell show { $id } dit la même chose.

## En texte

print-head = gravité { $severity }, { $title }
    .update = gravité { $severity } (mise à jour), { $title }

## Ce qui s'est passé en l'absence de l'utilisateur, et le résumé

away-scans = { $n ->
        [one] { $n } balayage
       *[other] { $n } balayages
    } depuis { $sources ->
        [one] { $sources } adresse
       *[other] { $sources } adresses
    }
    .alone = { $n ->
        [one] { $n } balayage
       *[other] { $n } balayages
    }
away-incidents = { $n ->
        [one] { $n } événement
       *[other] { $n } événements
    } depuis { $sources ->
        [one] { $sources } adresse
       *[other] { $sources } adresses
    }
    .alone = { $n ->
        [one] { $n } événement
       *[other] { $n } événements
    }
away-title = En votre absence{"\u00A0"}: { $what }
away-worst = Le plus grave{"\u00A0"}: { $title }.
away-sources = Il y a plus de { $n } sources.
away-over = Tout est terminé. Pour la liste{"\u00A0"}: firebell alerts
digest-title = { $n ->
        [one] { $n } source vous a sondé
       *[other] { $n } sources vous ont sondé
    }
    .alone = { $n ->
        [one] { $n } petit événement
       *[other] { $n } petits événements
    }
digest-harmless = Rien de tout cela ne vous visait.
digest-advice = Pour la liste{"\u00A0"}: firebell alerts
