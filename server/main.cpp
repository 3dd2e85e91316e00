#include "server/commands.hpp"

int main(int argc, char** argv) {
  return reqld::server::run({argv + 1, argv + argc});
}
