#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>
using std::string;

namespace shop {

enum class Kind { Fruit, Bread };

template <typename T>
T largest(const std::vector<T>& all, T start) {
    for (const auto& one : all) {
        if (one > start) start = one;
    }
    return start;
}

struct Item {
    string name;
    Kind kind = Kind::Fruit;
    int price() const { return base * 2; }

  private:
    int base = 3;
};

class Stock {
  public:
    explicit Stock(int limit) : limit_(limit) {}
    bool add(const Item& item);
    virtual ~Stock() = default;

  protected:
    int limit_;
    std::map<string, std::unique_ptr<Item>> items_;
};

bool Stock::add(const Item& item) {
    if (static_cast<int>(items_.size()) >= limit_) return false;
    auto [place, is_new] = items_.emplace(item.name, std::make_unique<Item>(item));
    return is_new && place != items_.end();
}

}  // namespace shop

static int twice(int x) { return x << 1; }

int main() {
    shop::Stock stock(twice(2));
    std::vector<int> prices{3, 1, 2};
    std::sort(prices.begin(), prices.end(), [](int a, int b) { return a < b; });
    const char* text = R"(no "code" { here)";
    switch (prices.size()) {
        case 3: {
            std::cout << shop::largest(prices, 0) << text << '\n';
            break;
        }
        default:
            stock.add({"bun", shop::Kind::Bread});
    }
    /* done */ return 0;
}
