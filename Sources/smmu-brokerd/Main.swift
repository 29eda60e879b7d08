import Server

@main
enum Main {
    static func main() {}
}
