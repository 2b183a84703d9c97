# 代理程序所显示的文字（简体中文）。各条消息的说明见英文目录。

## 标题

title-port-scan = 来自 { $source } 的端口扫描
    .alone = 端口扫描
title-stealth-scan = 来自 { $source } 的隐蔽端口扫描
    .alone = 隐蔽端口扫描
title-ack-scan = 来自 { $source } 的防火墙探测（ACK 扫描）
    .alone = 防火墙探测（ACK 扫描）
title-udp-scan = 来自 { $source } 的 UDP 端口扫描
    .alone = UDP 端口扫描
title-protocol-scan = 来自 { $source } 的 IP 协议扫描
    .alone = IP 协议扫描
title-ping-sweep = 来自 { $source } 的 Ping 扫描
    .alone = Ping 扫描
title-port-sweep = 来自 { $source } 的多地址端口探测
    .alone = 多地址端口探测
title-service-search = { $source } 正在寻找 { $port }
    .alone = 有人正在寻找 { $port }
title-slow-scan = 来自 { $source } 的慢速端口扫描
    .alone = 慢速端口扫描
title-decoy-scan = 隐藏在 { $n } 个地址中的端口扫描
    .more = 隐藏在至少 { $n } 个地址中的端口扫描
    .unknown = 隐藏在诱饵地址中的端口扫描
title-distributed-scan = 由 { $n } 个地址共同进行的端口扫描
    .more = 由至少 { $n } 个地址共同进行的端口扫描
    .unknown = 由多个地址共同进行的端口扫描
title-os-detection = 来自 { $source } 的操作系统探测
    .alone = 操作系统探测
title-flood = 来自 { $source } 的数据包洪水
    .alone = 数据包洪水
title-flood-on = 来自 { $source }、针对 { $port }的数据包洪水
    .alone = 针对 { $port }的数据包洪水
title-backscatter = 有人冒用您的地址
title-tries = 来自 { $source } 的反复连接尝试
    .alone = 反复连接尝试
title-tries-at = { $source } 反复尝试连接 { $port }
    .alone = 有人反复尝试连接 { $port }
title-egress-scan = 本机正在扫描其他计算机
title-signature = 来自 { $source } 的已知攻击特征
    .alone = 已知攻击特征
title-visibility = 防火墙日志不完整
title-test = Firebell 测试
title-other = 与 { $source } 有关的防火墙警报
    .alone = 防火墙警报
title-ended = { $title }（已结束）

## 发生了什么

what-ports = { $technique }：{ $took } { $ports } 个端口{ $which }。
what-ports-on = { $technique }：{ $took }，{ $targets } 个地址上共 { $ports } 个端口{ $which }。
    .more = { $technique }：{ $took }，至少 { $targets } 个地址上共 { $ports } 个端口{ $which }。
what-two = { $first }{ $second }
what-from = 来自 { $sources }。
what-aimed-at = 目标：{ $targets }。
what-protocols = 对方在试探您会应答哪些 IP 协议：{ $took } { $n } 种协议。
what-ping-sweep = 对方在探查您的哪些地址会应答：{ $took } { $n } 个地址。
what-port-sweep = { $took }，{ $n } 个地址上的同一端口{ $which }。
what-os-detection = 对方在试探本机运行的操作系统：{ $took } { $n } 个数据包{ $which }。
what-signature = { $known }：{ $took } { $n } 个数据包{ $which }。
what-visibility = 许多数据包没有进入日志，攻击可能因此不被发现。
what-packets = { $took } { $n } 个数据包{ $which }。
what-packets-to = { $took }，发往 { $target } 的 { $n } 个数据包{ $which }。
what-backscatter = { $source } 在应答本机从未发送过的数据包：{ $took } { $n } 个应答。
    .alone = 有人在应答本机从未发送过的数据包：{ $took } { $n } 个应答。
what-egress = { $took }，本机尝试了 { $n } 个连接{ $which }；防火墙已拒绝。
    .user = { $took }，本机尝试了 { $n } 个连接{ $which }，用户 ID 为 { $uid }；防火墙已拒绝。

technique-syn-scan = TCP SYN 扫描
technique-connect-scan = TCP 连接扫描
technique-fin-scan = TCP FIN 扫描
technique-null-scan = 无标志位的 TCP 扫描
technique-xmas-scan = TCP Xmas 扫描
technique-maimon-scan = TCP Maimon 扫描
technique-ack-scan = 对方在试探您的防火墙过滤哪些端口
technique-udp-scan = UDP 扫描
technique-slow-scan = 每次只探测少数端口
technique-set = 彼此相关的探测

## 端口和列表

port-known = { $port }（{ $name }）
port-unknown = 端口 { $port }
which-one = ：{ $port }
which-all = ：{ $ports }
which-known = ，其中包括 { $ports }
list-next = { $list }、{ $next }
list-more = { $list } 以及另外 { $n } 个
list-others = { $list } 等
addresses-unlisted = 未列出的地址

service-remote-desktop = 远程桌面
service-windows-shares = Windows 共享
service-printing = 打印
service-android-debugging = Android 调试
service-http-proxy = HTTP 代理
service-socks-proxy = SOCKS 代理
service-quote-of-the-day = 每日一言
service-ftp-data = FTP 数据
service-time = 时间
service-rpc-port-mapper = RPC 端口映射
service-news = 新闻组
service-netbios-names = NetBIOS 名称
service-netbios-datagrams = NetBIOS 数据报
service-snmp-traps = SNMP 陷阱
service-kerberos-passwords = Kerberos 密码
service-apple-file-sharing = Apple 文件共享
service-rtsp-cameras = RTSP 摄像头
service-mail-submission = 邮件提交
service-apple-remote-desktop = Apple 远程桌面
service-windows-remote-management = Windows 远程管理
service-router-management = 路由器管理 (TR-069)
service-huawei-routers = 华为路由器
service-dahua-cameras = 大华摄像头
service-over-tls = 基于 TLS 的 { $name }
service-or = { $first } 或 { $second }

## 时长和时间

number = { $n }
took-moment = 1 秒之内
took-seconds = { $n } 秒内
took-minutes = { $n } 分钟内
took-hours = { $n } 小时内
took-days = { $n } 天内
since-time = 自 { $time } 起 { $took }
since-day = 自 { $day } { $time } 起 { $took }
day = { $month }月{ $day }日

## 已知情况、防火墙的处理、可信程度

known-tool = 工具：{ $tool }。
known-surely = 已识别：{ $what }
known-likely = 看起来像：{ $what }
did-drop = 防火墙丢弃了这些数据包。
did-reject = 防火墙拒绝了这些数据包。
did-accept = 防火墙放行了这些数据包。
did-unknown = 日志没有说明防火墙如何处理这些数据包。
sure-address = 发送者的地址很可能是真实的。
doubt-line = 不能确定：本机上的任何程序都可以写入这样的日志行。
doubt-address = 发送者的地址可能是伪造的。
doubt-name = 发送者的地址可能是伪造的；{ $name } 只是本机对该地址的称呼。
doubt-decoys = 这些地址中最多只有一个是真实的。

## 该怎么做

advice-egress = 请找出进行扫描的程序，它可能是恶意软件。在此之前，请将本机断开网络。
advice-visibility = 请检查防火墙日志规则的限制。
advice-backscatter = 无需处理：这不是针对您的攻击。
advice-flood = 如果某项服务停止响应，请向您的网络服务商求助。
advice-decoys = 请勿未经查证就封锁这些地址：其中最多只有一个是真正的来源。
advice-near = 来源在您自己的网络中：请查明它是哪台设备，以及上面运行着什么。
advice-accepted = 请检查在那里监听的服务是否应当可以访问。
advice-unknown = 请检查您的防火墙是否会阻止它。
advice-refused = 只要防火墙有效，就无需处理。

## 事件结束

over-time = 已结束：自 { $time } 起再无数据包。
over-day = 已结束：自 { $day } { $time } 起再无数据包。

## 来源是谁

source-named = { $source }（{ $name }）
name-self = 本机
name-router = 您的路由器
device-named = { $name }，{ $maker } 的设备。
device = { $maker } 的设备。
device-random = 隐藏了制造商的设备（随机 MAC 地址），通常是手机。

## 测试

test-asked = 有人请求了一次测试。
test-seen = 您能看到这条消息，说明警报可以送达。

## 多个事件

several-title = 另有 { $n } 个防火墙事件
several-item = { $title }。
several-rest = 以及另外 { $n } 个。
several-why = 合并显示，以免占满您的屏幕。

## 无人监视日志

blind-why = 收集程序报告：{ $reason }
blind-title = Firebell 看不到防火墙日志
absent-title = Firebell 没有在监视
absent-why = 收集程序 (firebelld) 已停止运行一分钟或更久。
unwatched = 在此情况改变之前，您不会得知任何攻击。

## 用户的要求

preview-title = 预览：{ $title }
preview-body = 这是预览；没有发生任何事。
preview-shown = 预览已显示在屏幕上。
hidden-muted = { $source } 已静音，直到您取消。
hidden-muted-minutes = { $source } 已静音 { $n } 分钟。
hidden-muted-hours = { $source } 已静音 { $n } 小时。
hidden-muted-days = { $source } 已静音 { $n } 天。
hidden-trusted = { $source } 已被信任。
hidden-up-to = 严重级别高于 { $severity } 的事件仍会显示。
hidden-unmuted = { $source } 已取消静音；其间发生的事不会补充显示。
hidden-untrusted = { $source } 已不再被信任；其间发生的事不会补充显示。
hidden-undo = 撤销：{ $command }

## Buttons, short, and what follows a click.

button-details = 详情
button-mute = 将此来源静音
button-trust = 信任此设备
button-undo = 撤销
# $id is the number of an incident; the command is typed as it is.
details-failed = 无法打开页面。在终端中运行 firebell show { $id } 可看到同样的内容。

## 文本形式

print-head = 严重级别 { $severity }，{ $title }
    .update = 严重级别 { $severity }（更新），{ $title }

## 无人在场时发生的事，以及摘要

away-scans = 来自 { $sources } 个地址的 { $n } 次扫描
    .alone = { $n } 次扫描
away-incidents = 来自 { $sources } 个地址的 { $n } 起事件
    .alone = { $n } 起事件
away-title = 您离开期间：{ $what }
away-worst = 最严重的：{ $title }。
away-sources = 来源超过 { $n } 个。
away-over = 以上均已结束。列出：firebell alerts
digest-title = { $n } 个来源探测过您
    .alone = { $n } 起小事件
digest-harmless = 其中没有针对您的。
digest-advice = 列出：firebell alerts
