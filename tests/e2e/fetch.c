/* fetch.c - HOST PORT PATH: writes what a server answers to standard output, without its head. For
 * linking statically: the runner must not need a dynamic loader. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    static char buf[1 << 16];
    if (argc != 4)
        return 2;
    int six = inet_pton(AF_INET, argv[1], &in.sin_addr) != 1;
    if (six && inet_pton(AF_INET6, argv[1], &in6.sin6_addr) != 1)
        return 2;
    in.sin_port = in6.sin6_port = htons((unsigned short)atoi(argv[2]));
    int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
    if (connect(fd, six ? (struct sockaddr *)&in6 : (struct sockaddr *)&in,
                six ? sizeof in6 : sizeof in) < 0) {
        perror("connect");
        return 1;
    }
    int len = snprintf(buf, sizeof buf, "GET %s HTTP/1.0\r\n\r\n", argv[3]);
    if (write(fd, buf, (size_t)len) != len)
        return 1;
    char *body = NULL;
    size_t have = 0;
    while (!body && have < sizeof buf - 1) {
        ssize_t n = read(fd, buf + have, sizeof buf - 1 - have);
        if (n <= 0)
            return 1;
        have += (size_t)n;
        buf[have] = 0;
        body = strstr(buf, "\r\n\r\n");
    }
    if (!body)
        return 1;
    body += 4;
    fwrite(body, 1, have - (size_t)(body - buf), stdout);
    for (ssize_t n; (n = read(fd, buf, sizeof buf)) != 0;) {
        if (n < 0) {
            perror("read");
            return 1;
        }
        fwrite(buf, 1, (size_t)n, stdout);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
