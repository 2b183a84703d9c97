# O que o agente diz, em português. As explicações das mensagens estão no catálogo inglês.

## Títulos

title-port-scan = Varredura de portas de { $source }
    .alone = Varredura de portas
title-stealth-scan = Varredura de portas furtiva de { $source }
    .alone = Varredura de portas furtiva
title-ack-scan = Sondagem do firewall (varredura ACK) de { $source }
    .alone = Sondagem do firewall (varredura ACK)
title-udp-scan = Varredura de portas UDP de { $source }
    .alone = Varredura de portas UDP
title-protocol-scan = Varredura de protocolos IP de { $source }
    .alone = Varredura de protocolos IP
title-ping-sweep = Busca de máquinas por ping de { $source }
    .alone = Busca de máquinas por ping
title-port-sweep = Busca de portas em vários endereços de { $source }
    .alone = Busca de portas em vários endereços
title-service-search = Busca por { $port } de { $source }
    .alone = Busca por { $port }
title-slow-scan = Varredura de portas lenta de { $source }
    .alone = Varredura de portas lenta
title-decoy-scan = Varredura de portas escondida entre { $n } endereços
    .more = Varredura de portas escondida entre { $n } ou mais endereços
    .unknown = Varredura de portas escondida entre iscas
title-distributed-scan = Varredura de portas dividida entre { $n } endereços
    .more = Varredura de portas dividida entre { $n } ou mais endereços
    .unknown = Varredura de portas dividida entre vários endereços
title-os-detection = Detecção do sistema operacional por { $source }
    .alone = Detecção do sistema operacional
title-flood = Enxurrada de pacotes de { $source }
    .alone = Enxurrada de pacotes
title-flood-on = Enxurrada de pacotes em { $port } de { $source }
    .alone = Enxurrada de pacotes em { $port }
title-backscatter = Alguém falsifica o seu endereço
title-tries = Tentativas de conexão repetidas de { $source }
    .alone = Tentativas de conexão repetidas
title-tries-at = Tentativas repetidas em { $port } de { $source }
    .alone = Tentativas repetidas em { $port }
title-egress-scan = Este computador está varrendo outros
title-signature = Padrão de ataque conhecido de { $source }
    .alone = Padrão de ataque conhecido
title-visibility = O registro do firewall não mostra tudo
title-test = Teste do Firebell
title-other = Alerta do firewall sobre { $source }
    .alone = Alerta do firewall
title-ended = { $title } (já terminou)

## O que aconteceu

what-ports = { $technique }: { $ports ->
        [one] { $ports } porta
       *[other] { $ports } portas
    } { $took }{ $which }.
what-ports-on = { $technique }: { $ports ->
        [one] { $ports } porta
       *[other] { $ports } portas
    } em { $targets } endereços { $took }{ $which }.
    .more = { $technique }: { $ports ->
        [one] { $ports } porta
       *[other] { $ports } portas
    } em { $targets } ou mais endereços { $took }{ $which }.
what-two = { $first } { $second }
what-from = De { $sources }.
what-aimed-at = Alvos: { $targets }.
what-protocols = Testa a quais protocolos IP você responde: { $n ->
        [one] { $n } protocolo
       *[other] { $n } protocolos
    } { $took }.
what-ping-sweep = Pergunta quais dos seus endereços respondem: { $n ->
        [one] { $n } endereço
       *[other] { $n } endereços
    } { $took }.
what-port-sweep = A mesma porta em { $n ->
        [one] { $n } endereço
       *[other] { $n } endereços
    } { $took }{ $which }.
what-os-detection = Tenta descobrir qual sistema operacional roda aqui: { $n ->
        [one] { $n } pacote
       *[other] { $n } pacotes
    } { $took }{ $which }.
what-signature = { $known }: { $n ->
        [one] { $n } pacote
       *[other] { $n } pacotes
    } { $took }{ $which }.
what-visibility = Muitos pacotes não chegam ao registro, então um ataque pode passar despercebido.
what-packets = { $n ->
        [one] { $n } pacote
       *[other] { $n } pacotes
    } { $took }{ $which }.
what-packets-to = { $n ->
        [one] { $n } pacote
       *[other] { $n } pacotes
    } para { $target } { $took }{ $which }.
what-backscatter = { $source } responde a pacotes que este computador nunca enviou: { $n ->
        [one] { $n } resposta
       *[other] { $n } respostas
    } { $took }.
    .alone = Alguém responde a pacotes que este computador nunca enviou: { $n ->
        [one] { $n } resposta
       *[other] { $n } respostas
    } { $took }.
what-egress = Ele tentou { $n ->
        [one] { $n } conexão
       *[other] { $n } conexões
    } { $took }{ $which }; o firewall recusou.
    .user = Ele tentou { $n ->
        [one] { $n } conexão
       *[other] { $n } conexões
    } { $took }{ $which }, com o ID de usuário { $uid }; o firewall recusou.

technique-syn-scan = Varredura TCP SYN
technique-connect-scan = Varredura TCP connect
technique-fin-scan = Varredura TCP FIN
technique-null-scan = Varredura TCP sem flags
technique-xmas-scan = Varredura TCP Xmas
technique-maimon-scan = Varredura TCP Maimon
technique-ack-scan = Testa quais portas o seu firewall filtra
technique-udp-scan = Varredura UDP
technique-slow-scan = Poucas portas por vez
technique-set = Sondagens que andam juntas

## Portas e listas

port-known = { $port } ({ $name })
port-unknown = porta { $port }
which-one = : { $port }
which-all = : { $ports }
which-known = , incluindo { $ports }
list-next = { $list }, { $next }
list-more = { $list } e mais { $n }
list-others = { $list } e outros
addresses-unlisted = endereços que não estão listados

service-remote-desktop = área de trabalho remota
service-windows-shares = compartilhamentos do Windows
service-printing = impressão
service-android-debugging = depuração do Android
service-http-proxy = proxy HTTP
service-socks-proxy = proxy SOCKS
service-quote-of-the-day = citação do dia
service-ftp-data = dados FTP
service-time = hora
service-rpc-port-mapper = mapeador de portas RPC
service-news = Usenet
service-netbios-names = nomes NetBIOS
service-netbios-datagrams = datagramas NetBIOS
service-snmp-traps = notificações SNMP
service-kerberos-passwords = senhas do Kerberos
service-apple-file-sharing = compartilhamento de arquivos da Apple
service-rtsp-cameras = câmeras RTSP
service-mail-submission = envio de e-mail
service-apple-remote-desktop = acesso remoto da Apple
service-windows-remote-management = gerenciamento remoto do Windows
service-router-management = gerenciamento de roteadores (TR-069)
service-huawei-routers = roteadores Huawei
service-dahua-cameras = câmeras Dahua
service-over-tls = { $name } sobre TLS
service-or = { $first } ou { $second }

## Durações e horas

number = { $n }
took-moment = em menos de um segundo
took-seconds = em { $n ->
        [one] { $n } segundo
       *[other] { $n } segundos
    }
took-minutes = em { $n ->
        [one] { $n } minuto
       *[other] { $n } minutos
    }
took-hours = em { $n ->
        [one] { $n } hora
       *[other] { $n } horas
    }
took-days = em { $n ->
        [one] { $n } dia
       *[other] { $n } dias
    }
since-time = { $took } (desde { $time })
since-day = { $took } (desde { $day }, { $time })
day = { $day } de { $month ->
        [1] janeiro
        [2] fevereiro
        [3] março
        [4] abril
        [5] maio
        [6] junho
        [7] julho
        [8] agosto
        [9] setembro
        [10] outubro
        [11] novembro
       *[12] dezembro
    }

## O que se sabe, o que o firewall fez, quão certo é

known-tool = Ferramenta: { $tool }.
known-surely = Reconhecido: { $what }
known-likely = Parece: { $what }
did-drop = O firewall descartou os pacotes.
did-reject = O firewall rejeitou os pacotes.
did-accept = O firewall deixou os pacotes passar.
did-unknown = O registro não diz o que o firewall fez com os pacotes.
sure-address = O endereço do remetente é muito provavelmente verdadeiro.
doubt-line = Incerto: qualquer programa deste computador pode escrever essas linhas no registro.
doubt-address = O endereço do remetente pode ser falso.
doubt-name = O endereço do remetente pode ser falso; { $name } é só o nome desse endereço aqui.
doubt-decoys = No máximo um destes endereços é o verdadeiro.

## O que fazer

advice-egress = Procure o programa que faz isso; pode ser malicioso. Enquanto isso, desconecte este computador da rede.
advice-visibility = Veja os limites das regras de registro do seu firewall.
advice-backscatter = Nada a fazer: não é um ataque contra você.
advice-flood = Se um serviço parar de responder, peça ajuda ao seu provedor.
advice-decoys = Não bloqueie estes endereços sem verificar: todos menos um são inocentes.
advice-near = A origem está na sua própria rede: descubra qual é o dispositivo e o que roda nele.
advice-accepted = Verifique se o que escuta ali deve estar acessível.
advice-unknown = Verifique se o seu firewall o bloqueia.
advice-refused = Nada a fazer enquanto o seu firewall resistir.

## O fim de um incidente

over-time = Encerrado: nenhum pacote desde { $time }.
over-day = Encerrado: nenhum pacote desde { $day }, { $time }.

## Quem é a origem

source-named = { $source } ({ $name })
name-self = este computador
name-router = o seu roteador
device-named = { $name }, um dispositivo de { $maker }.
device = Um dispositivo de { $maker }.
device-random = Um dispositivo que esconde o fabricante (endereço MAC aleatório), muitas vezes um telefone.

## Um teste

test-asked = Alguém pediu um teste.
test-seen = Você está vendo isto, então os alertas chegam até você.

## Vários incidentes

several-title = { $n ->
        [one] Mais { $n } incidente do firewall
       *[other] Mais { $n } incidentes do firewall
    }
several-item = { $title }.
several-rest = E mais { $n }.
several-why = Mostrados juntos, para não encher a sua tela.

## Ninguém vigia o registro

blind-why = O coletor informa: { $reason }
blind-title = O Firebell não consegue ver o registro do firewall
absent-title = O Firebell não está vigiando
absent-why = O coletor (firebelld) não está em execução há um minuto ou mais.
unwatched = Até que isso mude, você não saberá de ataques.

## O que o usuário pediu

preview-title = Prévia: { $title }
preview-body = Isto é uma prévia; nada aconteceu.
preview-shown = A prévia está na tela.
hidden-muted = { $source } está silenciado até você encerrar.
hidden-muted-minutes = { $source } está silenciado por { $n ->
        [one] { $n } minuto
       *[other] { $n } minutos
    }.
hidden-muted-hours = { $source } está silenciado por { $n ->
        [one] { $n } hora
       *[other] { $n } horas
    }.
hidden-muted-days = { $source } está silenciado por { $n ->
        [one] { $n } dia
       *[other] { $n } dias
    }.
hidden-trusted = { $source } é considerado confiável.
hidden-up-to = O que for pior que a gravidade { $severity } continua sendo mostrado.
hidden-unmuted = { $source } não está mais silenciado; o que aconteceu nesse meio-tempo não será mostrado.
hidden-untrusted = { $source } não é mais considerado confiável; o que aconteceu nesse meio-tempo não será mostrado.
hidden-undo = Para desfazer: { $command }

## Buttons, short, and what follows a click.

button-details = Detalhes
button-mute = Silenciar esta origem
button-trust = Confiar no dispositivo
button-undo = Desfazer
# $id is the number of an incident; the command is typed as it is.
details-failed = Não foi possível abrir a página. Num terminal, firebell show { $id } diz o mesmo.

## Como texto

print-head = gravidade { $severity }, { $title }
    .update = gravidade { $severity } (atualização), { $title }

## O que aconteceu enquanto não havia ninguém, e o resumo

away-scans = { $n ->
        [one] { $n } varredura
       *[other] { $n } varreduras
    } de { $sources ->
        [one] { $sources } endereço
       *[other] { $sources } endereços
    }
    .alone = { $n ->
        [one] { $n } varredura
       *[other] { $n } varreduras
    }
away-incidents = { $n ->
        [one] { $n } incidente
       *[other] { $n } incidentes
    } de { $sources ->
        [one] { $sources } endereço
       *[other] { $sources } endereços
    }
    .alone = { $n ->
        [one] { $n } incidente
       *[other] { $n } incidentes
    }
away-title = Enquanto você estava ausente: { $what }
away-worst = O pior: { $title }.
away-sources = Há mais de { $n } origens.
away-over = Tudo já terminou. Para listar: firebell alerts
digest-title = { $n ->
        [one] { $n } origem sondou você
       *[other] { $n } origens sondaram você
    }
    .alone = { $n ->
        [one] { $n } incidente pequeno
       *[other] { $n } incidentes pequenos
    }
digest-harmless = Nada disso visava você.
digest-advice = Para listar: firebell alerts
