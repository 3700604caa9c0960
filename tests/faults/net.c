/* Connections. */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include "faults.h"

static bool fails(const char *name, const void *caller, int error)
{
    return faults_fail(FAULTS_NET, name, caller, error);
}

int socket(int domain, int type, int protocol)
{
    if (fails("socket", __builtin_return_address(0), EMFILE)) return -1;
    int (*next)(int, int, int);
    faults_next(&next, "socket");
    return next(domain, type, protocol);
}

int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t size)
{
    if (fails("connect", __builtin_return_address(0), ECONNREFUSED)) return -1;
    int (*next)(int, __CONST_SOCKADDR_ARG, socklen_t);
    faults_next(&next, "connect");
    return next(fd, address, size);
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    if (fails("send", __builtin_return_address(0), ECONNRESET)) return -1;
    ssize_t (*next)(int, const void *, size_t, int);
    faults_next(&next, "send");
    return next(fd, data, size, flags);
}

ssize_t recv(int fd, void *to, size_t size, int flags)
{
    if (fails("recv", __builtin_return_address(0), ECONNRESET)) return -1;
    ssize_t (*next)(int, void *, size_t, int);
    faults_next(&next, "recv");
    return next(fd, to, size, flags);
}

int getaddrinfo(const char *restrict name, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict out)
{
    if (fails("getaddrinfo", __builtin_return_address(0), 0)) return EAI_AGAIN;
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    faults_next(&next, "getaddrinfo");
    return next(name, service, hints, out);
}

int poll(struct pollfd *sockets, nfds_t count, int timeout)
{
    if (fails("poll", __builtin_return_address(0), ENOMEM)) return -1;
    int (*next)(struct pollfd *, nfds_t, int);
    faults_next(&next, "poll");
    return next(sockets, count, timeout);
}
