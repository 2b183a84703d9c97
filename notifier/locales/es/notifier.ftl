# Lo que dice el agente, en español. Las explicaciones de los mensajes están en el catálogo inglés.

## Títulos

title-port-scan = Escaneo de puertos desde { $source }
    .alone = Escaneo de puertos
title-stealth-scan = Escaneo de puertos sigiloso desde { $source }
    .alone = Escaneo de puertos sigiloso
title-ack-scan = Sondeo del cortafuegos (escaneo ACK) desde { $source }
    .alone = Sondeo del cortafuegos (escaneo ACK)
title-udp-scan = Escaneo de puertos UDP desde { $source }
    .alone = Escaneo de puertos UDP
title-protocol-scan = Escaneo de protocolos IP desde { $source }
    .alone = Escaneo de protocolos IP
title-ping-sweep = Búsqueda de equipos por ping desde { $source }
    .alone = Búsqueda de equipos por ping
title-port-sweep = Barrido de puertos desde { $source }
    .alone = Barrido de puertos
title-service-search = Búsqueda de { $port } desde { $source }
    .alone = Búsqueda de { $port }
title-slow-scan = Escaneo de puertos lento desde { $source }
    .alone = Escaneo de puertos lento
title-decoy-scan = Escaneo de puertos oculto entre { $n } direcciones
    .more = Escaneo de puertos oculto entre { $n } direcciones o más
    .unknown = Escaneo de puertos oculto entre señuelos
title-distributed-scan = Escaneo de puertos repartido entre { $n } direcciones
    .more = Escaneo de puertos repartido entre { $n } direcciones o más
    .unknown = Escaneo de puertos repartido entre varias direcciones
title-os-detection = Detección del sistema operativo desde { $source }
    .alone = Detección del sistema operativo
title-flood = Avalancha de paquetes desde { $source }
    .alone = Avalancha de paquetes
title-flood-on = Avalancha de paquetes a { $port } desde { $source }
    .alone = Avalancha de paquetes a { $port }
title-backscatter = Alguien falsifica su dirección
title-tries = Intentos de conexión repetidos desde { $source }
    .alone = Intentos de conexión repetidos
title-tries-at = Intentos repetidos en { $port } desde { $source }
    .alone = Intentos repetidos en { $port }
title-egress-scan = Este equipo está escaneando a otros
title-signature = Patrón de ataque conocido desde { $source }
    .alone = Patrón de ataque conocido
title-visibility = El registro del cortafuegos no lo muestra todo
title-test = Prueba de Firebell
title-other = Alerta del cortafuegos sobre { $source }
    .alone = Alerta del cortafuegos
title-ended = { $title } (ya terminó)

## Qué ha ocurrido

what-ports = { $technique }: { $ports ->
        [one] { $ports } puerto
       *[other] { $ports } puertos
    } { $took }{ $which }.
what-ports-on = { $technique }: { $ports ->
        [one] { $ports } puerto
       *[other] { $ports } puertos
    } en { $targets } direcciones { $took }{ $which }.
    .more = { $technique }: { $ports ->
        [one] { $ports } puerto
       *[other] { $ports } puertos
    } en { $targets } direcciones o más { $took }{ $which }.
what-two = { $first } { $second }
what-from = Desde { $sources }.
what-aimed-at = Objetivos: { $targets }.
what-protocols = Prueba a qué protocolos IP responde usted: { $n ->
        [one] { $n } protocolo
       *[other] { $n } protocolos
    } { $took }.
what-ping-sweep = Pregunta cuáles de sus direcciones responden: { $n ->
        [one] { $n } dirección
       *[other] { $n } direcciones
    } { $took }.
what-port-sweep = El mismo puerto en { $n ->
        [one] { $n } dirección
       *[other] { $n } direcciones
    } { $took }{ $which }.
what-os-detection = Intenta averiguar qué sistema operativo funciona aquí: { $n ->
        [one] { $n } paquete
       *[other] { $n } paquetes
    } { $took }{ $which }.
what-signature = { $known }: { $n ->
        [one] { $n } paquete
       *[other] { $n } paquetes
    } { $took }{ $which }.
what-visibility = Muchos paquetes no llegan al registro, así que un ataque puede pasar inadvertido.
what-packets = { $n ->
        [one] { $n } paquete
       *[other] { $n } paquetes
    } { $took }{ $which }.
what-packets-to = { $n ->
        [one] { $n } paquete
       *[other] { $n } paquetes
    } a { $target } { $took }{ $which }.
what-backscatter = { $source } responde a paquetes que este equipo nunca envió: { $n ->
        [one] { $n } respuesta
       *[other] { $n } respuestas
    } { $took }.
    .alone = Alguien responde a paquetes que este equipo nunca envió: { $n ->
        [one] { $n } respuesta
       *[other] { $n } respuestas
    } { $took }.
what-egress = Intentó { $n ->
        [one] { $n } conexión
       *[other] { $n } conexiones
    } { $took }{ $which }; el cortafuegos lo impidió.
    .user = Intentó { $n ->
        [one] { $n } conexión
       *[other] { $n } conexiones
    } { $took }{ $which }, con el identificador de usuario { $uid }; el cortafuegos lo impidió.

technique-syn-scan = Escaneo TCP SYN
technique-connect-scan = Escaneo TCP connect
technique-fin-scan = Escaneo TCP FIN
technique-null-scan = Escaneo TCP sin indicadores
technique-xmas-scan = Escaneo TCP Xmas
technique-maimon-scan = Escaneo TCP Maimon
technique-ack-scan = Prueba qué puertos filtra su cortafuegos
technique-udp-scan = Escaneo UDP
technique-slow-scan = Unos pocos puertos cada vez
technique-set = Sondeos que van juntos

## Puertos y listas

port-known = { $port } ({ $name })
port-unknown = puerto { $port }
which-one = : { $port }
which-all = : { $ports }
which-known = , incluidos { $ports }
list-next = { $list }, { $next }
list-more = { $list } y { $n } más
list-others = { $list } y otras
addresses-unlisted = direcciones que no se enumeran

service-remote-desktop = escritorio remoto
service-windows-shares = carpetas compartidas de Windows
service-printing = impresión
service-android-debugging = depuración de Android
service-http-proxy = proxy HTTP
service-socks-proxy = proxy SOCKS
service-quote-of-the-day = cita del día
service-ftp-data = datos FTP
service-time = hora
service-rpc-port-mapper = asignador de puertos RPC
service-news = Usenet
service-netbios-names = nombres NetBIOS
service-netbios-datagrams = datagramas NetBIOS
service-snmp-traps = notificaciones SNMP
service-kerberos-passwords = contraseñas Kerberos
service-apple-file-sharing = archivos compartidos de Apple
service-rtsp-cameras = cámaras RTSP
service-mail-submission = envío de correo
service-apple-remote-desktop = escritorio remoto de Apple
service-windows-remote-management = administración remota de Windows
service-router-management = administración de routers (TR-069)
service-huawei-routers = routers Huawei
service-dahua-cameras = cámaras Dahua
service-over-tls = { $name } sobre TLS
service-or = { $first } o { $second }

## Duraciones y horas

number = { $n }
took-moment = en menos de un segundo
took-seconds = en { $n ->
        [one] { $n } segundo
       *[other] { $n } segundos
    }
took-minutes = en { $n ->
        [one] { $n } minuto
       *[other] { $n } minutos
    }
took-hours = en { $n ->
        [one] { $n } hora
       *[other] { $n } horas
    }
took-days = en { $n ->
        [one] { $n } día
       *[other] { $n } días
    }
since-time = { $took } (desde las { $time })
since-day = { $took } (desde el { $day } a las { $time })
day = { $day } de { $month ->
        [1] enero
        [2] febrero
        [3] marzo
        [4] abril
        [5] mayo
        [6] junio
        [7] julio
        [8] agosto
        [9] septiembre
        [10] octubre
        [11] noviembre
       *[12] diciembre
    }

## Qué se sabe, qué hizo el cortafuegos, cuán seguro es

known-tool = Herramienta: { $tool }.
known-surely = Reconocido: { $what }
known-likely = Parece: { $what }
did-drop = El cortafuegos descartó los paquetes.
did-reject = El cortafuegos rechazó los paquetes.
did-accept = El cortafuegos dejó pasar los paquetes.
did-unknown = El registro no dice qué hizo el cortafuegos con los paquetes.
sure-address = La dirección del remitente es muy probablemente auténtica.
doubt-line = No es seguro: cualquier programa de este equipo puede escribir esas líneas en el registro.
doubt-address = La dirección del remitente puede estar falsificada.
doubt-name = La dirección del remitente puede estar falsificada; { $name } es solo el nombre de esa dirección aquí.
doubt-decoys = Como mucho una de estas direcciones es la verdadera.

## Qué hacer

advice-egress = Busque el programa que hace esto; puede ser malicioso. Mientras tanto, desconecte este equipo de la red.
advice-visibility = Revise los límites de las reglas de registro de su cortafuegos.
advice-backscatter = No hay que hacer nada: no es un ataque contra usted.
advice-flood = Si un servicio deja de responder, pida ayuda a su proveedor.
advice-decoys = No bloquee estas direcciones sin comprobarlas: todas menos una son inocentes.
advice-near = El origen está en su propia red: averigüe qué dispositivo es y qué se ejecuta en él.
advice-accepted = Compruebe si lo que escucha ahí debe ser accesible.
advice-unknown = Compruebe que su cortafuegos lo bloquea.
advice-refused = No hay que hacer nada mientras su cortafuegos resista.

## El fin de un incidente

over-time = Terminado: ningún paquete desde las { $time }.
over-day = Terminado: ningún paquete desde el { $day } a las { $time }.

## Quién es el origen

source-named = { $source } ({ $name })
name-self = este equipo
name-router = su router
device-named = { $name }, un dispositivo de { $maker }.
device = Un dispositivo de { $maker }.
device-random = Un dispositivo que oculta su fabricante (dirección MAC aleatoria), a menudo un teléfono.

## Una prueba

test-asked = Alguien pidió una prueba.
test-seen = Usted ve esto, así que las alertas le llegan.

## Varios incidentes

several-title = { $n ->
        [one] { $n } incidente más del cortafuegos
       *[other] { $n } incidentes más del cortafuegos
    }
several-item = { $title }.
several-rest = Y { $n } más.
several-why = Se muestran juntos para no llenar su pantalla.

## Nadie vigila el registro

blind-why = El recolector informa: { $reason }
blind-title = Firebell no puede ver el registro del cortafuegos
absent-title = Firebell no está vigilando
absent-why = Su recolector (firebelld) lleva un minuto o más sin funcionar.
unwatched = Mientras no cambie, usted no se enterará de los ataques.

## Lo que pidió el usuario

preview-title = Vista previa: { $title }
preview-body = Esto es una vista previa; no ha ocurrido nada.
preview-shown = La vista previa está en la pantalla.
hidden-muted = { $source } está silenciado hasta que usted lo termine.
hidden-muted-minutes = { $source } está silenciado durante { $n ->
        [one] { $n } minuto
       *[other] { $n } minutos
    }.
hidden-muted-hours = { $source } está silenciado durante { $n ->
        [one] { $n } hora
       *[other] { $n } horas
    }.
hidden-muted-days = { $source } está silenciado durante { $n ->
        [one] { $n } día
       *[other] { $n } días
    }.
hidden-trusted = { $source } se considera de confianza.
hidden-up-to = Lo que supere la gravedad { $severity } se seguirá mostrando.
hidden-unmuted = { $source } ya no está silenciado; lo ocurrido mientras tanto no se mostrará.
hidden-untrusted = { $source } ya no se considera de confianza; lo ocurrido mientras tanto no se mostrará.
hidden-undo = Para deshacerlo: { $command }

## Buttons, short, and what follows a click.

button-details = Detalles
button-mute = Silenciar este origen
button-trust = Confiar en el equipo
button-undo = Deshacer
# $id is the number of an incident; the command is typed as it is.
details-failed = No se pudo abrir la página. En un terminal, firebell show { $id } dice lo mismo.

## Como texto

print-head = gravedad { $severity }, { $title }
    .update = gravedad { $severity } (actualización), { $title }

## Lo que ocurrió mientras no había nadie, y el resumen

away-scans = { $n ->
        [one] { $n } escaneo
       *[other] { $n } escaneos
    } desde { $sources ->
        [one] { $sources } dirección
       *[other] { $sources } direcciones
    }
    .alone = { $n ->
        [one] { $n } escaneo
       *[other] { $n } escaneos
    }
away-incidents = { $n ->
        [one] { $n } incidente
       *[other] { $n } incidentes
    } desde { $sources ->
        [one] { $sources } dirección
       *[other] { $sources } direcciones
    }
    .alone = { $n ->
        [one] { $n } incidente
       *[other] { $n } incidentes
    }
away-title = Mientras estaba ausente: { $what }
away-worst = Lo más grave: { $title }.
away-sources = Hay más de { $n } orígenes.
away-over = Todo ha terminado. Para ver la lista: firebell alerts
digest-title = { $n ->
        [one] { $n } origen le ha sondeado
       *[other] { $n } orígenes le han sondeado
    }
    .alone = { $n ->
        [one] { $n } incidente menor
       *[other] { $n } incidentes menores
    }
digest-harmless = Nada de ello iba dirigido a usted.
digest-advice = Para ver la lista: firebell alerts
